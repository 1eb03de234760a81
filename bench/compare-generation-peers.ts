/**
 * One text through every peer that generates: how long it takes to read it, and to decode tokens after it. Each peer has a process of its
 * own, all of them are stopped but one, and they take turns. Nothing is timed before they have said the same.
 */
import { fileURLToPath } from 'node:url';
import { spreadOf, type Spread } from '../compiler/cli/measure.ts';
import {
  generationPeerNames,
  generationPeers,
  type GenerationFiles,
  type GenerationPeerName,
  type Prompt,
} from './generation-peers.ts';
import type { GenerationRequests, GenerationSettings } from './generation-runner.ts';
import { BenchError } from './model-files.ts';
import { PeerProcess } from './peer-process.ts';

export interface ReadingTime {
  readonly peer: GenerationPeerName;
  /** Tokens of the prompt. */
  readonly tokens: number;
  /** A token of the prompt; of each turn. */
  readonly prefill: Spread;
  /** A token that is generated after the prompt; of each turn. */
  readonly decode: Spread;
  readonly turns: number;
}
export interface GenerationComparison {
  readonly threads: number;
  readonly versions: Partial<Record<GenerationPeerName, string>>;
  /** Of so many prompts, for how many a peer named the next token that the first one named. */
  readonly agreement: { readonly prompts: number; readonly same: Partial<Record<GenerationPeerName, number>> };
  readonly times: readonly ReadingTime[];
}
export interface GenerationExtent {
  readonly peers: readonly GenerationPeerName[];
  readonly lengths: readonly number[];
  readonly threads: number;
}

/**
 * Of the prompts that are held against each other, so many may have another next token: llama.cpp rounds activations to 8 bits before it
 * multiplies them by blocks, and where two tokens are almost as likely that decides.
 */
const mostOtherTokens = 2;
const agreementPrompts = 12;
/** A text of 32k tokens takes the slowest of them five minutes and more. */
const turnsOf = (tokens: number): number => (tokens <= 8192 ? 3 : 1);
const decodeTurns = 5;
const decodedTokens = 24;

type Runner = PeerProcess<GenerationSettings, GenerationRequests>;

/** `promptOf` gives a prompt of about so many tokens. Throws BenchError where peers with all keys say other things. */
export async function compareGenerationPeers(
  files: GenerationFiles,
  promptOf: (tokens: number) => Prompt,
  { peers, lengths, threads }: GenerationExtent,
  progress: (text: string) => void,
): Promise<GenerationComparison> {
  const runners: Runner[] = [];
  try {
    for (const peer of generationPeerNames.filter((name) => peers.includes(name))) {
      const { label } = generationPeers[peer];
      progress(`loading: ${label}`);
      const runner = fileURLToPath(new URL('./generation-runner.ts', import.meta.url));
      runners.push(await PeerProcess.start(runner, label, { peer, threads, files }));
    }
    const agreement = await nextTokens(runners, promptOf, progress);
    const times: ReadingTime[] = [];
    for (const tokens of lengths) times.push(...(await readAndDecode(runners, promptOf(tokens), progress)));
    const versions = Object.fromEntries(runners.map(({ settings, version }) => [settings.peer, version]));
    return { threads, versions, agreement, times };
  } finally {
    runners.forEach((runner) => runner.end());
  }
}

async function nextTokens(
  runners: readonly Runner[],
  promptOf: (tokens: number) => Prompt,
  progress: (text: string) => void,
): Promise<GenerationComparison['agreement']> {
  const same = new Map<GenerationPeerName, number>();
  for (let index = 0; index < agreementPrompts; index += 1) {
    const prompt = promptOf(20 + 17 * index);
    let reference: string | undefined;
    for (const runner of runners) {
      const { text } = await runner.ask('begin', { prompt, count: 1 });
      reference ??= text;
      const { peer } = runner.settings;
      same.set(peer, (same.get(peer) ?? 0) + Number(text === reference));
    }
    progress(`comparing next tokens: ${index + 1} of ${agreementPrompts} prompts`);
  }
  for (const [peer, count] of same) {
    const { label, attention } = generationPeers[peer];
    if (attention === 'dense' && count < agreementPrompts - mostOtherTokens) {
      throw new BenchError(
        `${label} names another next token for ${agreementPrompts - count} of ${agreementPrompts} prompts: nothing is timed.`,
      );
    }
  }
  return { prompts: agreementPrompts, same: Object.fromEntries(same) };
}

async function readAndDecode(
  runners: readonly Runner[],
  prompt: Prompt,
  progress: (text: string) => void,
): Promise<readonly ReadingTime[]> {
  const tokens = prompt.ids.length;
  const measured = runners
    .filter(({ settings }) => tokens <= generationPeers[settings.peer].longest)
    .map((runner) => ({ runner, prefill: [] as number[], decode: [] as number[] }));
  for (let turn = 0; turn < turnsOf(tokens); turn += 1) {
    for (const { runner, prefill } of measured) {
      progress(`reading ${tokens} tokens: ${generationPeers[runner.settings.peer].label}, turn ${turn + 1}`);
      const { read, prefillMilliseconds } = await runner.ask('begin', { prompt, count: 1 });
      prefill.push(prefillMilliseconds / read);
    }
  }
  for (let turn = 0; turn < decodeTurns; turn += 1) {
    for (const { runner, decode } of measured) {
      const { generated, decodeMilliseconds } = await runner.ask('goOn', { count: decodedTokens });
      // The first token of an answer belongs to its prompt, in every peer.
      if (generated > 1) decode.push(decodeMilliseconds / (generated - 1));
    }
  }
  return measured.map(({ runner, prefill, decode }) => ({
    peer: runner.settings.peer,
    tokens,
    prefill: spreadOf(prefill),
    decode: spreadOf(decode),
    turns: prefill.length,
  }));
}
