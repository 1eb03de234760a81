/** CUDA C++ as a C-like language, over the types and functions of prelude.ts. */
import type { BindingSource, Builtin, Dialect, KernelSource, NumberType, SharedArray } from '../clike/dialect.ts';
import { bitsOfFloat, floatDigits } from '../clike/float-digits.ts';
import { intrinsics } from './intrinsics.ts';
import { prelude } from './prelude.ts';

/** Keywords of C++20, names of CUDA, and what a kernel might call something that CUDA or C has as a function or macro. */
const reserved = new Set([
  ...`alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl concept const
  consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else enum
  explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or
  or_eq private protected public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct
  switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
  xor_eq threadIdx blockIdx blockDim gridDim warpSize abs ceil cos div exp floor index log max min pow rand remainder round signal sin
  sqrt time y0 y1 j0 j1 gamma`
    .split(/\s+/)
    .filter(Boolean),
  // What the file itself names.
  ...[...`${intrinsics}${prelude}`.matchAll(/\b(\w{2,})\(/g)].map(([, name]) => name ?? ''),
]);

const builtins: { readonly [K in Builtin]: string } = {
  abs: 'absolute',
  clamp: 'clamp',
  cos: 'cosf',
  dot: 'dot',
  exp: 'exponential',
  floor: 'floorf',
  fma: 'fmaf',
  log: 'logarithm',
  max: 'maximum',
  min: 'minimum',
  round: 'rintf',
  sin: 'sinf',
  sqrt: 'sqrtf',
  unpackHalves: 'unpack_halves',
};

const floatOfBits = (bits: number): string => `f32_of_bits(0x${bits.toString(16).padStart(8, '0')}u)`;
function literal(type: NumberType, value: number): string {
  if (type === 'bool') return String(value !== 0);
  if (type === 'u32') return `${value >>> 0}u`;
  if (type === 'i32') return value === -(2 ** 31) ? '(-2147483647 - 1)' : value < 0 ? `(${value | 0})` : String(value | 0);
  if (type === 'f16') throw new RangeError('Kernels for CUDA hold no 16-bit floats in variables.');
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) return floatOfBits(bitsOfFloat(rounded));
  const text = floatDigits(rounded);
  return rounded < 0 || Object.is(rounded, -0) ? `(${text}f)` : `${text}f`;
}

export const cudaDialect: Dialect = {
  name: 'CUDA C++',
  reserved,
  globalNames: ['sizes', 'Sizes', 'thread', 'item', 'scratch'],
  literal,
  floatOfBits,
  declaration(kind, name, type, value) {
    if (kind === 'constant') return `const ${type} ${name} = ${value ?? ''}`;
    return `${type} ${name} = ${value ?? `${type}()`}`;
  },
  privateArray: (name, type, count) => `${type} ${name}[${count}] = {}`,
  cast: (type, value) => `${type}(${value})`,
  bitcast: (type, value) => `bits_as<${type}>::of(${value})`,
  select: (condition, yes, no) => `((${condition}) ? (${yes}) : (${no}))`,
  vector: (type, parts) => `${type}(${parts.join(', ')})`,
  lane: (vector, lane) => (typeof lane === 'number' ? `${vector}.${'xyzw'.charAt(lane)}` : `${vector}[${lane}]`),
  call: (builtin, parts) => `${builtins[builtin]}(${parts.join(', ')})`,
  unrollAtMost: (times) => `#pragma unroll ${times}`,
  size: (name) => `sizes->${name}`,
  // It orders global memory among the threads of a block too (CUDA C++ Programming Guide, section 10.6).
  barrier: () => '__syncthreads()',
  uniformLoad: (place) => `uniform_load(${place})`,
  atomic: {
    load: (place) => place,
    store: (place, value) => `${place} = ${value}`,
    add: (place, value) => `atomicAdd(&${place}, ${value})`,
  },
  subgroup: {
    size: '32',
    exchange: (value, mask) => `shuffle_xor(${value}, ${mask})`,
  },
  place: { thread: 'thread', workgroup: 'item' },
  functionHeader(name, parameters, result) {
    const list = parameters.map((parameter) => `${parameter.type} ${parameter.name}`).join(', ');
    return `static __device__ ${result ?? 'void'} ${name}(${list})`;
  },
  kernel,
};

const arrayType = (type: SharedArray['type']): string => (type === 'atomic<u32>' ? 'u32' : type);
function parameterOf({ name, type, written }: BindingSource): string {
  return `${written ? '' : 'const '}${type} *__restrict__ ${name}`;
}
/** Numbers of the shared kernels are without a suffix, which makes a double of them in C++. */
function inSinglePrecision(line: string): string {
  return line.replaceAll(/(?<![\w.])(\d+\.\d+(?:e[-+]?\d+)?)(?![\w.])/g, '$1f');
}

function kernel(source: KernelSource): string {
  const { name, comment, sizes, bindings, shared, functions, workgroupSize, body } = source;
  const code = (lines: readonly string[]): readonly string[] =>
    lines.map((line) => (line.trimStart().startsWith('//') ? line : inSinglePrecision(line)));
  const parameters = ['const Sizes *__restrict__ sizes', ...bindings.map(parameterOf)];
  const sections: (readonly string[])[] = [
    [`// ${name}`, ...comment.map((line) => `// ${line}`)],
    [`namespace ${name}_kernel {`, 'struct Sizes {', ...sizes.map((size) => `  i32 ${size};`), '};'],
    ...functions.map(code),
    [
      // One block a multiprocessor at least: without it ptxas aims at more of them, and spills registers for it.
      `extern "C" __global__ void __launch_bounds__(${workgroupSize}, 1) ${name}(`,
      ...parameters.map((parameter, index) => `  ${parameter}${index === parameters.length - 1 ? '' : ','}`),
      ') {',
      ...shared.map(({ name: array, type, count }) => `  __shared__ ${arrayType(type)} ${array}[${count}];`),
      '  const i32 thread = threadIdx.x;',
      '  const i32 item = blockIdx.x;',
      '  if (item >= sizes->items) {',
      '    return;',
      '  }',
      ...code(body),
      '}',
      '}',
    ],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
