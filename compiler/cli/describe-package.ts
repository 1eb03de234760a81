/** Parts of a manifest in words. */
import { formatSize } from '../../ir/size.ts';
import { lossLine } from '../quality/loss-words.ts';
import type { ManifestAttention, ManifestPort, Task } from '../../runtime/format/manifest.ts';

export function describeTask(task: Task): string {
  switch (task.kind) {
    case 'tensors':
      return 'tensors in, tensors out';
    case 'embed':
      return `embeddings of ${task.size} numbers${task.normalized ? ', normalised' : ''}`;
    case 'classify':
      return `classification: ${task.labels.join(', ')}`;
    case 'generate':
      return `text generation${task.chat ? ', with a chat template' : ''}`;
  }
}

/** The measured loss, where there is one; then `layers 0-5: expand at 25 % of the keys`, layers of one plan together. */
export function attentionLines(attention: ManifestAttention): readonly string[] {
  const runs: { first: number; last: number; said: string }[] = [];
  for (const { layer, heads } of attention.layers) {
    const said = heads
      .map(({ mode, kvHeads, keys, measuredKeys, cache }) => {
        const whichHeads = heads.length === 1 ? '' : ` (heads ${kvHeads.join(', ')})`;
        const measured = measuredKeys === null ? '' : `, measured ${percent(measuredKeys.mean)} on average`;
        if (cache) return `${mode}${whichHeads}${describeNumbers(cache.parameters)}`;
        return `${mode}${whichHeads}${mode === 'dense' ? '' : ` at ${percent(keys)} of the keys${measured}`}`;
      })
      .join('; ');
    const run = runs.at(-1);
    if (run !== undefined && run.last === layer - 1 && run.said === said) run.last = layer;
    else runs.push({ first: layer, last: layer, said });
  }
  return [
    ...(attention.loss ? [lossLine(attention.loss)] : []),
    ...runs.map(({ first, last, said }) => `${first === last ? `layer ${first}` : `layers ${first}-${last}`}: ${said}`),
  ];
}

/** `, atoms 128, window 256`; what every cache has alike is left out. */
function describeNumbers(parameters: Readonly<Record<string, number | null>>): string {
  const shown = Object.entries(parameters).filter(
    ([name, value]) => value !== null && name !== 'capacity' && name !== 'iterations',
  );
  return shown.map(([name, value]) => `, ${name} ${String(value)}`).join('');
}

export function portType(port: ManifestPort): string {
  return `${port.elementType}[${port.shape.map(formatSize).join(', ')}]`;
}

export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
