/** An answer as it is generated: streamed to stdout, and said of it afterwards what it cost. */
import type { Generation, GenerationResult } from '../../runtime/api.ts';
import { count, formatMilliseconds, type Terminal } from './terminal.ts';

/** Prints the pieces as they come, and gives the result; `onText` hears them too. Under --json nothing is printed. */
export async function streamAnswer(
  terminal: Terminal,
  generation: Generation,
  onText?: (text: string) => void,
): Promise<GenerationResult> {
  let last = '';
  try {
    for await (const { text } of generation) {
      if (text === '') continue;
      if (!terminal.json) terminal.write(text);
      onText?.(text);
      last = text;
    }
    return await generation.result;
  } finally {
    // What follows begins on a line of its own.
    if (!terminal.json && last !== '' && !last.endsWith('\n')) terminal.write('\n');
  }
}

/** `48 tokens, 21.3 tokens/s; prompt of 31 tokens in 212.0 ms, 12 of them known`. */
export function describeAnswer(result: GenerationResult): string {
  const { ids, promptTokens, reusedTokens, prefillMilliseconds, decodeMilliseconds, finish } = result;
  const known = reusedTokens === 0 ? '' : `, ${reusedTokens} of them known`;
  const cut = finish === 'length' ? ', cut at its length' : '';
  return (
    `${count(ids.length, 'token')}${cut}, ${tokensPerSecond(result)}; ` +
    `prompt of ${count(promptTokens, 'token')} in ${formatMilliseconds(prefillMilliseconds)} ms${known}` +
    (decodeMilliseconds === 0 ? '' : `, answer in ${formatMilliseconds(decodeMilliseconds)} ms`)
  );
}

function tokensPerSecond({ ids, decodeMilliseconds }: GenerationResult): string {
  if (ids.length === 0 || decodeMilliseconds <= 0) return 'no time measured';
  return `${((1000 * ids.length) / decodeMilliseconds).toFixed(1)} tokens/s`;
}
