/** The C compiler of this machine, and what it compiles for. */
import { commandOutput } from './command-output.ts';

/** Where a library runs: an operating system and a processor, as Node names them. */
export type NativePlatform = 'linux-x64' | 'linux-arm64' | 'darwin-x64' | 'darwin-arm64';

export interface CCompiler {
  readonly command: string;
  /** What comes before all other parameters: `CC` may be `ccache gcc`. */
  readonly parameters: readonly string[];
  /** The first line of what it says of its version. */
  readonly version: string;
  /** Null for what libraries are not made for. */
  readonly platform: NativePlatform | null;
  /** What it says that it compiles for, such as x86_64-linux-gnu. */
  readonly machine: string;
}
type Environment = Readonly<Record<string, string | undefined>>;

const names = ['cc', 'gcc', 'clang'];

/** The command in `CC`, or else the first of cc, gcc and clang that answers; undefined where none does. */
export async function findCCompiler(env: Environment = process.env): Promise<CCompiler | undefined> {
  const named = (env['CC'] ?? '').split(' ').filter((word) => word !== '');
  for (const [command, ...parameters] of named.length > 0 ? [named] : names.map((name) => [name])) {
    if (command === undefined) continue;
    const [version] = ((await commandOutput(command, [...parameters, '--version'], { env })) ?? '').split(/\r?\n/);
    const machine = (await commandOutput(command, [...parameters, '-dumpmachine'], { env }))?.trim();
    if (version === undefined || version === '' || machine === undefined) continue;
    return { command, parameters, version, platform: platformOf(machine), machine };
  }
  return undefined;
}

/** Of a triple such as x86_64-linux-gnu or arm64-apple-darwin24.1.0. */
export function platformOf(machine: string): NativePlatform | null {
  const system = /linux/.test(machine) && !/android/.test(machine) ? 'linux' : /darwin|macos/.test(machine) ? 'darwin' : null;
  const [processor = ''] = machine.split('-');
  const architecture = processor === 'x86_64' ? 'x64' : /^(?:aarch64|arm64)$/.test(processor) ? 'arm64' : null;
  return system && architecture && `${system}-${architecture}`;
}
