/** The command that looks for ways around the gate. */
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from './common.ts';

interface DoctorFlags extends CommonFlags {
  readonly user?: readonly string[];
  readonly sshdConfig?: string;
  readonly json?: boolean;
}

/** Adds `doctor`. */
export function addDoctor(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('doctor'))
    .description('look for ways around the gate, and say how to close each')
    .option('--user <names...>', 'only these logins (default: root and everybody enrolled)')
    .option('--sshd-config <file>', 'judge this sshd_config instead of those of the sshds that run')
    .option('--json', 'print one JSON object for each check')
    .addHelpText('after', '\nExit codes: 0 no way was found, 1 a check failed, 3 sshd or its users could not be looked at.')
    .action(async (flags: DoctorFlags) => {
      const config = configOf(flags);
      const { doctor } = await import('../commands/doctor/doctor.ts');
      finish(await doctor(config, { users: flags.user, sshdConfig: flags.sshdConfig, json: flags.json === true }, now));
    });
}
