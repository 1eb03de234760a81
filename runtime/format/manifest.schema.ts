import { arrayOf, definitions, nullable, number, object, reference, text } from './common.schema.ts';

const tensors: object = {
  type: 'object',
  additionalProperties: object({ shape: reference('counts'), data: arrayOf(number) }),
};
const port = object(
  {
    name: text,
    elementType: reference('elementType'),
    shape: reference('sizes'),
    default: number,
    vocabulary: reference('count'),
  },
  ['default', 'vocabulary'],
);
const variant = object({
  file: reference('path'),
  features: arrayOf({
    type: 'string',
    pattern:
      '^(?:simd128|threads|relaxed-simd|subgroups|shader-f16|cuda-\\d+\\.\\d+|(?:linux|darwin)-(?:x64|arm64)|x86-64-v[234]|avx(?:512)?-vnni|arm-dotprod)$',
  }),
});
// Each of these is one function of the validators, however often it is used.
const own = {
  tensors,
  golden: arrayOf(
    object(
      {
        inputs: { $ref: '#/definitions/tensors' },
        outputs: { $ref: '#/definitions/tensors' },
        tolerance: number,
        toleranceOf: { const: 'largest' },
      },
      ['toleranceOf'],
    ),
  ),
  texts: arrayOf(text),
};
const golden = { $ref: '#/definitions/golden' };
const texts = { $ref: '#/definitions/texts' };
const target = object(
  {
    name: { enum: ['wasm', 'webgpu', 'cuda', 'native'] },
    program: reference('path'),
    variants: arrayOf(variant),
    memory: object({
      weights: reference('size'),
      workspace: reference('size'),
      io: reference('size'),
      state: reference('size'),
      scratch: reference('size'),
      total: reference('size'),
    }),
    stateBytes: reference('count'),
    golden,
    approximations: texts,
  },
  ['golden', 'approximations'],
);
const cache = object({ kind: text, parameters: { type: 'object', additionalProperties: nullable(number) } });
const headPlan = object(
  {
    mode: text,
    kvHeads: reference('counts'),
    keys: number,
    measuredKeys: nullable(object({ mean: number, max: number })),
    cache,
  },
  ['cache'],
);
const state = object({
  elementType: { const: 'f32' },
  maxTokens: reference('count'),
  trainedTokens: reference('count'),
  chunk: reference('count'),
  rewinds: { type: 'boolean' },
});

/** The schema of manifest.json; the types are in manifest.ts. */
export const manifestSchema: object = {
  $id: 'manifest',
  definitions: { ...definitions, ...own },
  ...object(
    {
      formatVersion: { const: 1 },
      name: text,
      compiler: object({ name: { const: 'atpc' }, version: text }),
      runtime: object({ version: text, sha256: reference('sha256') }),
      modelHash: text,
      // For the compiler, as `attention.loss` is for people.
      storage: {},
      family: text,
      task: {
        type: 'object',
        required: ['kind'],
        oneOf: [
          object({ kind: { const: 'tensors' } }),
          object({ kind: { const: 'embed' }, output: text, normalized: { type: 'boolean' }, size: reference('count') }),
          object({ kind: { const: 'classify' }, output: text, labels: texts }),
          object({
            kind: { const: 'generate' },
            output: text,
            vocabulary: reference('count'),
            endIds: reference('counts'),
            chat: { type: 'boolean' },
          }),
        ],
      },
      dims: reference('dims'),
      inputs: arrayOf(port),
      outputs: arrayOf(port),
      files: arrayOf(
        object(
          {
            path: reference('path'),
            bytes: reference('count'),
            sha256: reference('sha256'),
            chunks: arrayOf(reference('sha256')),
          },
          ['chunks'],
        ),
      ),
      tensors: arrayOf(
        object({
          name: text,
          storage: { enum: ['F32', 'F16', 'BF16', 'U8'] },
          shape: reference('counts'),
          file: reference('path'),
          begin: reference('count'),
          end: reference('count'),
        }),
      ),
      targets: arrayOf(target),
      attention: object(
        {
          keys: nullable(text),
          reason: text,
          calibration: nullable(text),
          layers: arrayOf(object({ layer: reference('count'), heads: arrayOf(headPlan) })),
          // For people: the runtime does not read what is in it, and its validators stay small.
          loss: { type: 'object' },
        },
        ['loss'],
      ),
      state: nullable(state),
      tokenizer: nullable(
        object({
          file: reference('path'),
          config: reference('path'),
          maxLength: reference('count'),
          padId: reference('count'),
          fixtures: arrayOf(object({ text, ids: reference('counts') })),
        }),
      ),
      golden,
      approximations: texts,
      source: object({ license: nullable(text), description: text }),
    },
    ['storage'],
  ),
};
