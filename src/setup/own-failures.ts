/**
 * The failures of the rules of the door that is set up, whether they were there before or not. A user who needed no code before fails the
 * same rule as one who gets around the new door, so what was there before says nothing.
 */
import type { Finding } from '../doctor/finding.ts';
import { examineModules } from '../doctor/host/read-by-root.ts';
import { examineProgram } from '../doctor/host/trust.ts';
import { examinePam, pamPrograms } from '../doctor/pam/pam.ts';
import { pamText } from '../doctor/pam/stack.ts';
import type { Plan, SetupDoor } from './plan.ts';
import { isEverybody } from './scope.ts';

/** P1 to P5 are about users for whom the gate is not forced. P6 is no way in. */
const RULES: Readonly<Record<SetupDoor, RegExp>> = {
  gate: /^(FC\d+|P[1-5]|user-environment|spelling)$/,
  pam: /^(P[1-5]|spelling)$/,
  sudo: /^P11$/,
};

const SERVICES: Readonly<Record<SetupDoor, readonly string[]>> = { gate: [], pam: ['sshd'], sudo: ['sudo', 'sudo-i'] };

/** `failed`: doctor's failures about the host and the users in the scope, with the setup in place. */
export function ownFailures({ door, scope }: Pick<Plan, 'door' | 'scope'>, failed: readonly Finding[]): Finding[] {
  // Doctor looks for the gate only at root and those who are enrolled, who need not be in the scope.
  const isSeen = isEverybody(scope) && door !== 'sudo';
  const isOwn = ({ id, user }: Finding): boolean =>
    RULES[door].test(id) || (id === 'no-gate' && isSeen) || (id === 'P7' && user !== undefined && door === 'pam');
  return [...failed.filter(isOwn), ...failuresOfServices(door)];
}

/** Those findings do not tell of which PAM service they are, so its own are looked for again. */
function failuresOfServices(door: SetupDoor): Finding[] {
  const services = SERVICES[door].filter((name) => pamText(name) !== '').map((name) => ({ name, sshd: door === 'pam' }));
  const programs = new Set(services.flatMap(pamPrograms).filter((program) => program.startsWith('/')));
  const all = [
    ...services.flatMap(examinePam),
    ...[...programs].map((program) => examineProgram('P8', program)),
    ...examineModules(services.map(({ name }) => name)),
  ];
  return all.filter(({ severity }) => severity === 'fail');
}
