/**
 * Kernels of the native target are C text. What is the same for all kernels of a kind is a C function, written once with the numbers
 * that differ as its parameters and inlined into each kernel, where they are constants: the text stays short, and the compiler
 * specialises it.
 */
import type { Size } from '../../../ir/size.ts';
import { writeSize, type SizeLanguage } from '../write-size.ts';

/** C text that kernels share: in the file once, after what it uses. */
export interface SharedText {
  readonly name: string;
  readonly uses?: readonly SharedText[];
  readonly text: string;
}

/** A kernel as C. */
export interface NativeKernel {
  /** What it computes, for the reader of the C text. */
  readonly comment?: string;
  /** Declarations of pointers in the order of kernel.ts, such as `const f32 *left` or `f32 *result`. */
  readonly operands: readonly string[];
  /** Names, in the order of kernel.ts; all of them are i64. */
  readonly integers: readonly string[];
  readonly uses?: readonly SharedText[];
  /** Statements over `begin`, `end`, `scratch` (char *, of this lane) and the names above. Lines without indentation of their own. */
  readonly body: string;
}

/** Every line that is not empty, `depth` steps further in. */
export function indented(text: string, depth = 1): string {
  return text.replaceAll(/^(?=.)/gm, '  '.repeat(depth));
}

/** The C function of a kernel: `arguments` are begin, end, scratch, operands, integers. */
export function kernelFunction(name: string, { comment, operands, integers, body }: NativeKernel): string {
  const parameters = operands.map((declaration, position) => {
    const split = declaration.lastIndexOf('*') + 1;
    const [type, own] = [declaration.slice(0, split), declaration.slice(split)];
    return `${type}const ${own} = (${type})(base + arguments[${3 + position}]);`;
  });
  const sizes = integers.map((own, position) => `const i64 ${own} = arguments[${3 + operands.length + position}];`);
  const lines = [
    'const i64 begin = arguments[0], end = arguments[1];',
    'char *const scratch = base + arguments[2];',
    ...parameters,
    ...sizes,
    body.trim(),
  ];
  return [
    `// === kernel ${name} ===`,
    ...(comment === undefined ? [] : [`// ${comment}`]),
    `static void ${functionName(name)}(const i64 *arguments, char *base) {`,
    indented(lines.join('\n')),
    '}',
  ].join('\n');
}
/** Names of kernels are no names of C's functions or of the file's own. */
export function functionName(kernel: string): string {
  return `kernel_${kernel}`;
}

/** The texts that these use and they themselves, each once, after what it uses. */
export function withUses(texts: readonly SharedText[]): readonly SharedText[] {
  const ordered = new Set<SharedText>();
  const visit = (text: SharedText): void => {
    text.uses?.forEach(visit);
    ordered.add(text);
  };
  texts.forEach(visit);
  return [...ordered];
}

/** A finite or infinite f32 as a constant. */
export function f32Constant(value: number): string {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return 'NAN';
  if (!Number.isFinite(rounded)) return rounded > 0 ? 'INFINITY' : '-INFINITY';
  const digits = String(rounded);
  return `${/[.e]/.test(digits) ? digits : `${Object.is(rounded, -0) ? '-0' : digits}.0`}f`;
}

const sizeFunctions = { 'floor/': 'floor_divide', 'ceil/': 'ceil_divide', min: 'minimum', max: 'maximum' };
/** An ir size over named i64 values. */
export function sizeText(size: Size, symbols: Readonly<Record<string, string>>): string {
  const language: SizeLanguage = { integer: String, call: (operator, a, b) => `${sizeFunctions[operator]}(${a}, ${b})` };
  return writeSize(language, size, symbols);
}
