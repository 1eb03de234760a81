/** Loaded by mocha before any test file. */
import fc from 'fast-check';
import { requiredNames } from './requirements.ts';

// Says at once, and not in the middle of the run, that ATPC_REQUIRE is misspelt.
requiredNames();

// What fast-check draws is the same in every run: a failure is seen again, here and elsewhere.
fc.configureGlobal({ seed: 20240305 });
