import picocolors from 'picocolors';

type Colors = ReturnType<typeof picocolors.createColors>;

/** Where a command writes. Results go to stdout, everything said on the way to stderr. */
export interface Terminal {
  /** Exactly one JSON document on stdout, nothing else. */
  readonly json: boolean;
  /** Nothing but results and errors. */
  readonly quiet: boolean;
  readonly colors: { readonly stdout: Colors; readonly stderr: Colors };
  /** Aborted by SIGINT. */
  readonly signal: AbortSignal;
  print(line: string): void;
  /** To stdout, without a line break. */
  write(text: string): void;
  /** Takes SIGINT before `signal` until it is given undefined; a handler gives whether that was all there is to do. */
  onInterrupt(handler: (() => boolean) | undefined): void;
  /** To stderr; dropped under --quiet. */
  say(line: string): void;
}

export function createTerminal(options: {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  /** Absent where no process listens to SIGINT. */
  readonly onInterrupt?: Terminal['onInterrupt'];
}): Terminal {
  return {
    ...options,
    onInterrupt: options.onInterrupt ?? (() => undefined),
    colors: { stdout: colorsFor(process.stdout), stderr: colorsFor(process.stderr) },
    print: (line) => void process.stdout.write(`${line}\n`),
    write: (text) => void process.stdout.write(text),
    say: (line) => {
      if (!options.quiet) process.stderr.write(`${line}\n`);
    },
  };
}

/** Colours only for a terminal, and never under NO_COLOR (no-color.org: set and not empty). */
export function colorsFor(stream: NodeJS.WriteStream): Colors {
  return picocolors.createColors(
    Boolean(stream.isTTY) && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb',
  );
}

const byteUnits = ['B', 'KB', 'MB', 'GB'] as const;

/** `90.9 MB`; units are powers of 1000, as disks and networks count. */
export function formatBytes(bytes: number): string {
  return scale(bytes, byteUnits);
}

/** `1.2 GFLOP`. */
export function formatFlops(flops: number): string {
  return scale(flops, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP']);
}

function scale(value: number, units: readonly string[]): string {
  let power = 0;
  while (value >= 1000 ** (power + 1) && power < units.length - 1) power++;
  const scaled = value / 1000 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toPrecision(3)} ${units[power] ?? ''}`;
}

/** `850 ms`, `3.2 s`. */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

export function formatMilliseconds(milliseconds: number): string {
  return milliseconds < 10
    ? milliseconds.toFixed(2)
    : milliseconds < 1000
      ? milliseconds.toFixed(1)
      : String(Math.round(milliseconds));
}

/** `6 layers`, `1 layer`. */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;
}

/** Lines of `name  value`, the names of one width. */
export function formatPairs(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}
