/** The misconfigurations of docs/doctor.md at the PAM door and at sudo; see seeded.ts. */
import { PAM_SEEDS, SUDO_SEEDS } from './pam.ts';
import { seededOn } from './seeded.ts';

seededOn({ pam: PAM_SEEDS, sudo: SUDO_SEEDS });
