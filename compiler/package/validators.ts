import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { manifestSchema } from '../../runtime/format/manifest.schema.ts';
import { programSchema } from '../../runtime/format/program.schema.ts';
import type { Validators } from '../../runtime/format/validators.ts';

/** The validators of the package formats, to be used here. */
export function formatValidators(): Validators {
  const ajv = new Ajv({ strict: false });
  return { manifest: ajv.compile(manifestSchema), program: ajv.compile(programSchema) };
}

/** The text of a module that exports the validators `manifest` and `program`; it imports nothing. */
export function validatorsSource(): string {
  const ajv = new Ajv({
    schemas: [manifestSchema, programSchema],
    // One function for each definition that is used often, instead of a copy at every use.
    inlineRefs: false,
    code: { source: true, esm: true },
  });
  return standalone.default(ajv, { manifest: 'manifest', program: 'program' }).replace(unusedFields, '');
}

/**
 * What ajv writes into every error beside its place and its sentence, which are all that is shown (runtime/format/read.ts). It
 * has no option to leave them out; they are a sixth of the validators, gzipped, which are the largest part of index.js.
 */
const unusedFields = /schemaPath:"[^"]*",keyword:"[^"]*",params:\{[^{}]*\},/g;
