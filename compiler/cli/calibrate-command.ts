import { rename, rm, writeFile } from 'node:fs/promises';
import type { HeadCalibration } from '../calibrate/calibrate-heads.ts';
import type { CalibrateFlags } from './calibrate-flags.ts';
import { createProgress } from './progress.ts';
import { formatTable } from './table.ts';
import { formatBytes, formatPairs, formatSeconds, type Terminal } from './terminal.ts';
import { usageError } from './usage-error.ts';

const phases = ['read model', 'read texts'] as const;

/** `atpc calibrate`. */
export async function runCalibrate(terminal: Terminal, model: string, flags: CalibrateFlags): Promise<void> {
  const { text: texts = [], out, guards, atoms, tokens, weights, maxSeq, beyondTrainedContext } = flags;
  if (texts.length === 0) {
    throw usageError('No text was given.', 'Example: atpc calibrate MODEL --text novel.txt -o plan.yaml');
  }
  const began = performance.now();
  const { calibrate, writeCachePlanFile } = await import('../index.ts');
  const progress = await createProgress(terminal, phases);
  let found: HeadCalibration;
  try {
    progress.at('read model');
    found = await calibrate({
      model,
      texts,
      ...(guards === undefined ? {} : { guards }),
      ...(atoms === undefined ? {} : { atoms }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(weights === undefined ? {} : { weights }),
      ...(maxSeq === undefined ? {} : { maxLength: maxSeq }),
      ...(beyondTrainedContext === undefined ? {} : { beyondTrainedContext }),
      signal: terminal.signal,
      onDownload: ({ file, bytes, totalBytes }) =>
        progress.at('read model', bytes / totalBytes, `${file}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`),
      onProgress: (read, total) => progress.at('read texts', read / total, `${read} of ${total} tokens`),
    });
  } catch (error) {
    await progress.end('failed');
    throw error;
  }
  await progress.end('done');
  const yaml = writeCachePlanFile(found.plan);
  if (out !== undefined) await writeWhole(out, yaml);
  if (terminal.json) {
    terminal.print(JSON.stringify({ ...(out === undefined ? {} : { out }), ...found }, null, 2));
    return;
  }
  if (out === undefined) terminal.print(yaml.trimEnd());
  for (const line of summary(terminal, model, found, out, (performance.now() - began) / 1000)) terminal.say(line);
}

function summary(
  { colors }: Terminal,
  model: string,
  { heads, guards, tokens, predicted, notes }: HeadCalibration,
  out: string | undefined,
  seconds: number,
): readonly string[] {
  const share = (error: number): string => `${((100 * error) / predicted.stream ** 2).toFixed(1)} %`;
  const worst = heads.slice(0, guards).map(({ layer, kvHead, error }) => [String(layer), String(kvHead), share(error)]);
  return [
    colors.stderr.bold(`${guards} of ${heads.length} KV heads keep every token; the others stream`),
    formatPairs([
      ['read', `${tokens.join(' + ')} tokens in ${formatSeconds(seconds)}`],
      ['predicted error', `${predicted.hybrid.toPrecision(3)}; with all heads streaming ${predicted.stream.toPrecision(3)}`],
    ]),
    formatTable([['layer', 'KV head', 'share of the error'], ...worst], [0, 1, 2]),
    ...notes.map((note) => `  ${colors.stderr.yellow('note')} ${note}`),
    ...(out === undefined ? [] : [`Written to ${out}. Try it: ${colors.stderr.cyan(`npx atpc compile ${model} --plan ${out}`)}`]),
  ];
}

/** The file is the whole plan, or what it was before. */
async function writeWhole(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(unfinished, text);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
