/** WGSL (https://www.w3.org/TR/WGSL/) as a C-like language. */
import type { Builtin, Dialect, KernelSource, NumberType } from '../clike/dialect.ts';
import { bitsOfFloat, floatDigits } from '../clike/float-digits.ts';

/** Keywords, and reserved words that a kernel might want (WGSL, sections 15.1 and 15.2), with the names of types and functions. */
const reserved = new Set(
  `alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop override
  requires return struct switch true var while abstract active array asm async atomic auto await become binding bool cast catch class
  common compile concept constexpr continue default delete demote do dot enum export extends extern external f16 f32 filter final
  finally friend from fxgroup get goto group handle i32 impl implements import inline instance instanceof interface layout lowp macro
  match mat2x2 mat3x3 mat4x4 mediump meta mod module move mut namespace new nil noexcept null of operator package packoffset partial
  pass patch pixelfragment precise precision private protected ptr public read readonly ref regardless register require resource
  restrict sampler self set shared sizeof smooth snorm static storage struct super target template texture this thread_local throw
  trait try type typedef typeid typename u32 uniform union unless unorm unsafe unsized use using varying vec2 vec3 vec4 virtual
  volatile wgsl where with workgroup workgroup_size write writeonly yield`
    .split(/\s+/)
    .filter(Boolean),
);

const builtins: { readonly [K in Builtin]: string } = {
  abs: 'abs',
  clamp: 'clamp',
  cos: 'cos',
  dot: 'dot',
  exp: 'exp',
  floor: 'floor',
  fma: 'fma',
  log: 'log',
  max: 'max',
  min: 'min',
  round: 'round',
  sin: 'sin',
  sqrt: 'sqrt',
  unpackHalves: 'unpack2x16float',
};

function literal(type: NumberType, value: number): string {
  if (type === 'bool') return String(value !== 0);
  if (type === 'u32') return `${value >>> 0}u`;
  if (type === 'i32') return value < 0 ? `(${value | 0})` : String(value | 0);
  const rounded = type === 'f32' ? Math.fround(value) : value;
  if (!Number.isFinite(rounded)) return floatOfBits(bitsOfFloat(rounded));
  const text = floatDigits(rounded);
  const typed = type === 'f16' ? `f16(${text})` : text;
  return rounded < 0 || Object.is(rounded, -0) ? `(${typed})` : typed;
}
/** Not a constant expression, which may not be infinite (WGSL, section 15.7.2). */
const floatOfBits = (bits: number): string => `float_of_bits(0x${bits.toString(16).padStart(8, '0')}u)`;

export const wgslDialect: Dialect = {
  name: 'WGSL',
  reserved,
  globalNames: ['sizes', 'Sizes', 'thread', 'item', 'float_of_bits', 'main', 'subgroup_lanes', 'scratch'],
  literal,
  floatOfBits,
  // Zeros are written out: in a loop, Dawn (webgpu 0.6.2) on SwiftShader gives a `var` without a value what it had in the round before,
  // though it is to be zero in each (WGSL, section 7.3).
  declaration(kind, name, type, value) {
    if (kind === 'constant') return `let ${name}: ${type} = ${value ?? ''}`;
    return `var ${name}: ${type} = ${value ?? `${type}()`}`;
  },
  privateArray: (name, type, count) => `var ${name}: array<${type}, ${count}> = array<${type}, ${count}>()`,
  cast: (type, value) => `${type}(${value})`,
  bitcast: (type, value) => `bitcast<${type}>(${value})`,
  select: (condition, yes, no) => `select(${no}, ${yes}, ${condition})`,
  vector: (type, parts) => `${type}(${parts.join(', ')})`,
  lane: (vector, lane) => (typeof lane === 'number' ? `${vector}.${'xyzw'.charAt(lane)}` : `${vector}[${lane}]`),
  call: (builtin, parts) => `${builtins[builtin]}(${parts.join(', ')})`,
  size: (name) => `sizes.${name}`,
  barrier: (memory) => (memory === 'shared' ? 'workgroupBarrier()' : 'storageBarrier()'),
  uniformLoad: (place) => `workgroupUniformLoad(&${place})`,
  atomic: {
    load: (place) => `atomicLoad(&${place})`,
    store: (place, value) => `atomicStore(&${place}, ${value})`,
    add: (place, value) => `atomicAdd(&${place}, ${value})`,
  },
  subgroup: {
    size: 'subgroup_lanes',
    exchange: (value, mask) => `subgroupShuffleXor(${value}, ${mask})`,
  },
  place: { thread: 'thread', workgroup: 'item' },
  functionHeader(name, parameters, result) {
    const list = parameters.map((parameter) => `${parameter.name}: ${parameter.type}`).join(', ');
    return `fn ${name}(${list})${result === null ? '' : ` -> ${result}`}`;
  },
  kernel,
};

function kernel(source: KernelSource): string {
  const { name, comment, sizes, bindings, shared, functions, workgroupSize, usesHalf, usesSubgroups, body } = source;
  const needsBits = [...body, ...functions.flat()].some((line) => line.includes('float_of_bits('));
  const builtinParameters = [
    '@builtin(local_invocation_index) thread_index: u32',
    '@builtin(workgroup_id) workgroup_id: vec3<u32>',
    '@builtin(num_workgroups) workgroup_count: vec3<u32>',
    ...(usesSubgroups ? ['@builtin(subgroup_size) subgroup_lanes: u32'] : []),
  ];
  const sections: (readonly string[])[] = [
    [`// ${name}`, ...comment.map((line) => `// ${line}`)],
    [...(usesHalf ? ['enable f16;'] : []), ...(usesSubgroups ? ['enable subgroups;'] : [])],
    ['struct Sizes {', ...sizes.map((size) => `  ${size}: i32,`), '}'],
    [
      '@group(0) @binding(0) var<uniform> sizes: Sizes;',
      ...bindings.map(
        ({ name: buffer, type, written }, index) =>
          `@group(0) @binding(${index + 1}) var<storage, ${written ? 'read_write' : 'read'}> ${buffer}: array<${type}>;`,
      ),
    ],
    shared.map(({ name: array, type, count }) => `var<workgroup> ${array}: array<${type}, ${count}>;`),
    ...(needsBits ? [['fn float_of_bits(bits: u32) -> f32 {', '  return bitcast<f32>(bits);', '}']] : []),
    ...functions,
    [
      `@compute @workgroup_size(${workgroupSize})`,
      'fn main(',
      ...builtinParameters.map((parameter) => `  ${parameter},`),
      ') {',
      '  let thread: i32 = i32(thread_index);',
      '  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);',
      '  if (item >= sizes.items) {',
      '    return;',
      '  }',
      ...body,
      '}',
    ],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
