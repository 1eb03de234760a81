/** Values of a compiled graph's parameters: of the checkpoint, derived from it, or computed by calibration. */
import type { Node } from '../../ir/graph.ts';
import { nodesInOrder, isOp, tensorOf } from '../../ir/graph.ts';
import { evaluateNodes } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import type { Stage } from '../../passes/pass.ts';
import { float16ToFloat32, float32ToFloat16 } from '../weights/float16.ts';
import type { MemoryTensor, TensorSource } from '../weights/tensor-source.ts';
import { isWeightStorage, type WeightStorage, type WeightTensor } from '../weights/write.ts';

export interface ParameterOptions {
  readonly source: TensorSource;
  /** Derived parameters of the compiled graph. */
  readonly derived: Stage['derived'];
  /** Values that calibration computed, by parameter name. */
  readonly computed: Readonly<Record<string, MemoryTensor>>;
  /** Storage asked for; null keeps the checkpoint's. */
  readonly storage: 'F32' | 'F16' | null;
}

/** The parameters of a graph by name, one read at a time. */
export class Parameters {
  readonly #options: ParameterOptions;

  constructor(options: ParameterOptions) {
    this.#options = options;
  }

  #originals(name: string): readonly string[] {
    const node = this.#options.derived.get(name);
    if (!node) return [name];
    return nodesInOrder([node]).flatMap((input) => (isOp(input, 'parameter') ? [input.attributes.name] : []));
  }

  /** Storage in the package. Values that the compiler computed are kept in f32. */
  storage(name: string): WeightStorage {
    const { source, storage } = this.#options;
    const originals = this.#originals(name);
    const computed = originals.length === 0 || originals.some((original) => !source.has(original));
    if (computed) return 'F32';
    if (storage) return storage;
    const stored = new Set(originals.map((original) => source.info(original).storage));
    const [only] = stored;
    return stored.size === 1 && only !== undefined && isWeightStorage(only) ? only : 'F32';
  }

  shape(name: string): readonly number[] {
    const { source, derived, computed } = this.#options;
    const node = derived.get(name);
    if (node) return tensorOf(node).shape.map(Number);
    return computed[name]?.shape ?? source.info(name).shape;
  }

  /** Values before they are rounded to their storage. */
  async #exact(name: string): Promise<Float32Array> {
    const { source, derived, computed } = this.#options;
    const node = derived.get(name);
    const known = computed[name];
    if (known) return known.data;
    if (!node) return source.readFloat32(name);
    const values = new Map<string, Tensor>();
    for (const original of this.#originals(name)) {
      const data = computed[original]?.data ?? (await source.readFloat32(original));
      values.set(original, { elementType: 'f32', shape: this.shape(original), data });
    }
    return evaluateParameter(node, values);
  }

  /** The values that the package will hold: rounded to their storage. */
  async read(name: string): Promise<Float32Array> {
    const exact = await this.#exact(name);
    const { source } = this.#options;
    const stays = source.has(name) && source.info(name).storage === this.storage(name);
    return this.storage(name) === 'F16' && !stays ? float16ToFloat32(float32ToFloat16(exact).halves) : exact;
  }

  /** Whether the package holds less of the values than the checkpoint: F32 or BF16 stored as F16. */
  isRounded(name: string): boolean {
    const { source } = this.#options;
    return this.storage(name) === 'F16' && this.#originals(name).some((original) => source.info(original).storage !== 'F16');
  }

  weightTensor(name: string): WeightTensor {
    const { source, derived, computed } = this.#options;
    const storage = this.storage(name);
    const raw = !derived.has(name) && !computed[name] && source.info(name).storage === storage;
    return { name, shape: this.shape(name), storage, read: () => (raw ? source.readRaw(name) : this.#exact(name)) };
  }
}

/** What follows from no parameter (rope tables) is rounded once, at the end: angles of late positions have no digits to lose. */
function evaluateParameter(node: Node, values: ReadonlyMap<string, Tensor>): Float32Array {
  const precision = values.size === 0 ? 'f64' : 'f32';
  const result = evaluateNodes([node], { parameters: (name) => values.get(name) as Tensor, precision }).get(node)?.[0];
  const { data } = result as Tensor;
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
