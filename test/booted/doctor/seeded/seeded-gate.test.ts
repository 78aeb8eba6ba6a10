/** The misconfigurations of docs/doctor.md at the gate; see seeded.ts. */
import { GATE_SEEDS } from './gate.ts';
import { seededOn } from './seeded.ts';

seededOn({ gate: GATE_SEEDS });
