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
  const source = standalone
    .default(ajv, { manifest: 'manifest', program: 'program' })
    .replace(unusedFields, '')
    .replace(unusedParameters, '');
  return source.replace(schemaConstant, (text, name: string, schema: string) => {
    const uses = source.split(new RegExp(`\\b${name}\\b`)).slice(2);
    if (!uses.every((use) => use.startsWith('.properties,'))) return text;
    const { properties = {} } = JSON.parse(schema) as { readonly properties?: object };
    const names = Object.fromEntries(Object.keys(properties).map((property) => [property, 0]));
    return `const ${name} = ${JSON.stringify({ properties: names })};`;
  });
}

/**
 * What ajv writes into every error beside its place and its sentence, which are all that is shown (runtime/format/read.ts). It
 * has no option to leave them out; they are a sixth of the validators, gzipped, which are the largest part of index.js.
 */
const unusedFields = /schemaPath:"[^"]*",keyword:"[^"]*",params:\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\},/g;
/** What ajv hands to keywords of other people, of which there are none here. */
const unusedParameters = /, ?parentData(?::[\w.]+)?, ?parentDataProperty(?::(?:"[^"]*"|[\w.]+))?, ?rootData(?:=data)?/g;
/** A schema of many properties, which ajv keeps whole to look their names up in. */
const schemaConstant = /const (schema\d+) = (\{.*?\});(?=const |function |export )/g;
