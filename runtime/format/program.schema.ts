import { arrayOf, definitions, object, reference, text } from './common.schema.ts';
import { bufferClasses, entryPointNames } from './program.ts';

const port = object({
  name: text,
  buffer: reference('count'),
  elementType: reference('elementType'),
  shape: reference('sizes'),
});
const bufferClass = { enum: bufferClasses };
const steps = arrayOf({ $ref: '#/definitions/step' });
const dispatch = object(
  {
    kind: { const: 'dispatch' },
    kernel: text,
    label: text,
    operands: arrayOf(object({ buffer: reference('count'), offset: reference('size') })),
    writes: reference('count'),
    integers: reference('sizes'),
    items: reference('size'),
    scratchBytes: reference('size'),
    when: object({ less: { type: 'array', minItems: 2, maxItems: 2, items: [reference('size'), reference('size')] } }),
    oneLane: { type: 'boolean' },
  },
  ['writes', 'when', 'oneLane'],
);
const repeat = object({ kind: { const: 'repeat' }, variable: text, count: reference('size'), steps });

/** The schema of program.json; the types are in program.ts. */
export const programSchema: object = {
  $id: 'program',
  definitions: {
    ...definitions,
    step: { type: 'object', required: ['kind'], oneOf: [dispatch, repeat] },
    entryPoint: object({ inputs: arrayOf(port), outputs: arrayOf(port), steps }),
  },
  ...object(
    {
      formatVersion: { const: 1 },
      name: text,
      dims: reference('dims'),
      buffers: arrayOf(
        object(
          {
            name: text,
            class: bufferClass,
            elementType: { enum: ['f32', 'f16', 'i32', 'bool', 'u8'] },
            offset: reference('size'),
            slot: reference('count'),
            bytes: reference('size'),
            firstStep: { type: 'integer' },
            lastStep: { type: 'integer' },
          },
          ['slot'],
        ),
      ),
      slots: arrayOf(object({ class: bufferClass, bytes: reference('size') })),
      arenas: object({
        weights: reference('size'),
        workspace: reference('size'),
        state: reference('size'),
        io: reference('size'),
        scratch: reference('size'),
      }),
      weights: arrayOf(
        object(
          {
            tensor: text,
            buffer: reference('count'),
            shape: reference('counts'),
            rows: { type: 'array', minItems: 2, maxItems: 2, items: [reference('count'), reference('count')] },
            packing: {
              type: 'object',
              required: ['kind'],
              oneOf: [
                object({ kind: { const: 'rows' } }),
                object({ kind: { const: 'panels' }, width: { type: 'integer', minimum: 1 } }),
              ],
            },
          },
          ['rows'],
        ),
      ),
      entryPoints: {
        ...object(
          Object.fromEntries(entryPointNames.map((name) => [name, { $ref: '#/definitions/entryPoint' }])),
          entryPointNames,
        ),
        minProperties: 1,
      },
    },
    ['slots'],
  ),
};
