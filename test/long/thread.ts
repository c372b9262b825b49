import { serveCases } from './serve-cases.ts';
import { LONG_SUITES } from './suites.ts';

// Entry of a thread that tells cases of the table.
await serveCases(LONG_SUITES);
