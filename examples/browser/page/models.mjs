import { sides } from './figures.mjs';

/** The two packages of a task, loaded once a backend; those of the task before are disposed of. */
export class ModelPair {
  #key = '';
  /** @type {Promise<Record<string, object>> | undefined} */
  #loading;

  /**
   * Both models: { dense, principal }. `onProgress` gets a share from 0 to 1 and a word.
   */
  async load(name, backend, onProgress, signal) {
    const key = `${name} ${backend}`;
    if (key === this.#key && this.#loading) return this.#loading;
    await this.dispose();
    this.#key = key;
    this.#loading = loadBoth(name, backend, onProgress, signal);
    try {
      return await this.#loading;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }
  async dispose() {
    const models = await this.#loading?.catch(() => undefined);
    this.#loading = undefined;
    await Promise.all(Object.values(models ?? {}).map((model) => model.dispose()));
  }
}

async function loadBoth(name, backend, onProgress, signal) {
  const models = {};
  try {
    for (const [index, side] of sides.entries()) {
      const { load } = await import(`./packages/${name}-${side}/index.js`);
      models[side] = await load({
        backend,
        signal,
        onProgress: ({ phase, loadedBytes, totalBytes }) => {
          const share = phase === 'weights' && totalBytes > 0 ? loadedBytes / totalBytes : phase === 'self-test' ? 1 : 0;
          onProgress((index + share) / sides.length, `${side === 'dense' ? 'dense' : 'principal keys'}: ${phase}`);
        },
      });
    }
    return models;
  } catch (error) {
    await Promise.all(Object.values(models).map((model) => model.dispose()));
    throw error;
  }
}

/** Tokens whose keys a query reads, on average over layers and heads, as a share of n tokens: as the plan says, or as it was measured. */
export function keysKept(model, tokens) {
  const heads = model
    .info()
    .attention.layers.flatMap((layer) => layer.heads.flatMap((group) => group.kvHeads.map(() => shareOf(group, tokens))));
  return heads.length === 0 ? 1 : heads.reduce((sum, share) => sum + share, 0) / heads.length;
}
function shareOf({ keys, measuredKeys, cache }, tokens) {
  if (cache === undefined) return measuredKeys?.mean ?? keys;
  const { sinks = 0, window = 0, block = 0, atoms = 0, keysPerBlock = 0, most } = cache.parameters;
  if (cache.kind === 'dense') return 1;
  const exact = Math.min(tokens, sinks + window + block / 2);
  const far = tokens - exact;
  // A cluster stands for block / keysPerBlock tokens; at most `most` of them are read exactly.
  const read =
    cache.kind === 'stream'
      ? Math.min(far, atoms)
      : far * (keysPerBlock / block) + Math.min(far, (most ?? 0) * (block / keysPerBlock));
  return Math.min(1, (exact + read) / Math.max(1, tokens));
}
