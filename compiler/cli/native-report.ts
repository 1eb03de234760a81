/** The C compiler that `atpc compile -t native` would use, and what the libraries that it makes can use of this processor. */
import { findCCompiler, type CCompiler } from '../codegen/native/find-c-compiler.ts';
import { installCCompiler, nativeBuilds } from '../codegen/native/compile-c.ts';
import { featuresOfProcessor } from '../codegen/native/processor-features.ts';

export interface NativeReport {
  /** The first line that the compiler says of its version; null where there is none. */
  readonly compiler: string | null;
  /** What libraries are compiled for, such as linux-x64; null where they cannot be. */
  readonly platform: string | null;
  /** The features of the best library that this processor runs; null where that is not known. */
  readonly level: readonly string[] | null;
}

export async function nativeReport(): Promise<NativeReport> {
  const compiler = await findCCompiler();
  if (!compiler) return { compiler: null, platform: null, level: null };
  return { compiler: compiler.version, platform: compiler.platform, level: await levelOf(compiler) };
}
async function levelOf(compiler: CCompiler): Promise<readonly string[] | null> {
  const { platform } = compiler;
  if (platform !== `${process.platform}-${process.arch}`) return null;
  const has = await featuresOfProcessor(compiler);
  return (
    has &&
    (nativeBuilds[platform].filter(({ features }) => features.every((name) => has.includes(name))).at(-1)?.features ?? null)
  );
}

export function nativeLines({ compiler, platform, level }: NativeReport): readonly (readonly [string, string])[] {
  if (compiler === null) return [['C compiler', `none found (CC, cc, gcc, clang): ${installCCompiler}`]];
  return [
    ['C compiler', compiler],
    ['libraries for', platform ?? 'none: they are made for Linux and macOS on x64 and arm64'],
    ['this processor', level === null ? 'runs none of them' : level.join(' with ') || (platform ?? '')],
  ];
}
