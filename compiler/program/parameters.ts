/** Values of a compiled graph's parameters: of the checkpoint, derived from it, or computed by calibration. */
import type { Node } from '../../ir/graph.ts';
import { tensorOf } from '../../ir/graph.ts';
import { evaluateNodes } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import type { Stage } from '../../passes/pass.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Program } from '../../runtime/format/program.ts';
import type { WeightType } from '../compile-options.ts';
import { dequantise, sameBlockFormat, type BlockFormat, type BlockMatrix } from '../weights/block-format.ts';
import { blockParts, blockWeights, type BlockPart, type ScaleStorage } from '../weights/block-weights.ts';
import { float16ToFloat32, float32ToFloat16 } from '../weights/float16.ts';
import { quantFormats, quantise, type QuantName } from '../weights/quantise.ts';
import { readBlocks, type MemoryTensor, type TensorSource } from '../weights/tensor-source.ts';
import { isWeightStorage, type FloatStorage, type WeightTensor } from '../weights/write.ts';
import { blocksOf } from './block-parameters.ts';
import { originalParameters } from './half-parameters.ts';

export interface ParameterOptions {
  readonly source: TensorSource;
  /** Derived parameters of the compiled graph. */
  readonly derived: Stage['derived'];
  /** Values that calibration computed, by parameter name. */
  readonly computed: Readonly<Record<string, MemoryTensor>>;
  /** Storage asked for; null keeps the checkpoint's. */
  readonly storage: 'F32' | 'F16' | null;
  /** Parameters that the program reads in blocks, with their formats (`Built.formats`); the others are plain numbers. */
  readonly formats: ReadonlyMap<string, BlockFormat>;
}

/** Storage of plain numbers, for a weight type that was asked for. */
export function plainStorage(type: WeightType | undefined): ParameterOptions['storage'] {
  return type === 'f16' ? 'F16' : type === 'f32' ? 'F32' : null;
}

/** Whether the package will hold a parameter of the checkpoint as F16; `Parameters.storage` says the same of it. */
export function storedAsHalf(source: TensorSource, storage: ParameterOptions['storage']): (parameter: string) => boolean {
  return (parameter) => {
    if (!source.has(parameter)) return false;
    const info = source.info(parameter);
    return (storage ?? (info.format === undefined ? info.storage : 'F32')) === 'F16';
  };
}

/** The parameters of a graph by name, one read at a time. */
export class Parameters {
  readonly #options: ParameterOptions;
  /** The matrix that was read last: its parts are asked for one after the other. */
  #last: { readonly name: string; readonly matrix: Promise<BlockMatrix> } | null = null;

  constructor(options: ParameterOptions) {
    this.#options = options;
  }

  #originals(name: string): readonly string[] {
    return originalParameters(name, this.#options.derived);
  }

  /** The blocks that the package holds a parameter in; null for plain numbers. */
  format(name: string): BlockFormat | null {
    return this.#options.formats.get(name) ?? null;
  }

  /** Storage of a parameter of plain numbers. Values that the compiler computed are kept in f32. */
  storage(name: string): FloatStorage {
    const { source, storage } = this.#options;
    const originals = this.#originals(name);
    const computed = originals.length === 0 || originals.some((original) => !source.has(original));
    if (computed) return 'F32';
    if (storage) return storage;
    const stored = new Set(
      originals.map((original) => {
        const info = source.info(original);
        return info.format === undefined ? info.storage : 'F32';
      }),
    );
    const [only] = stored;
    return stored.size === 1 && only !== undefined && isWeightStorage(only) ? only : 'F32';
  }

  shape(name: string): readonly number[] {
    const { source, derived, computed } = this.#options;
    const node = derived.get(name);
    if (node) return tensorOf(node).shape.map(Number);
    return computed[name]?.shape ?? source.info(name).shape;
  }

  /** The blocks of a parameter that has a format; copies of those of the checkpoint, no value changes. */
  async blocks(name: string): Promise<BlockMatrix> {
    const format = this.format(name);
    if (format === null)
      throw new AtpcError('ATPC-399', `The parameter '${name}' was to be read in blocks, and is not in blocks.`);
    const { source, derived } = this.#options;
    const read = async (original: string): Promise<BlockMatrix> =>
      source.info(original).format === undefined ? await this.#requantised(original, format) : await readBlocks(source, original);
    const node = derived.get(name);
    return node ? await blocksOf(node, read) : await read(name);
  }

  /** Weights that calibration changed are plain numbers again, and get blocks of the format that they had. */
  async #requantised(name: string, format: BlockFormat): Promise<BlockMatrix> {
    const quants = Object.keys(quantFormats) as readonly QuantName[];
    const quant = quants.find((candidate) => sameBlockFormat(quantFormats[candidate], format));
    if (quant === undefined) throw new AtpcError('ATPC-399', `The changed parameter '${name}' cannot get its blocks back.`);
    const [rows = 0, columns = 0] = this.shape(name);
    return quantise(name, quant, await this.#options.source.readFloat32(name), [rows, columns]);
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
    if (this.format(name) !== null) return dequantise(await this.blocks(name));
    const exact = await this.#exact(name);
    const { source } = this.#options;
    const stays = source.has(name) && source.info(name).storage === this.storage(name);
    return this.storage(name) === 'F16' && !stays ? float16ToFloat32(float32ToFloat16(exact).halves) : exact;
  }

  /** The elements of a tensor of the package: of a parameter of plain numbers, or of a part of one in blocks. */
  async readTensor(tensor: string): Promise<Float32Array | Uint8Array> {
    const found = this.#part(tensor);
    if (!found) return await this.read(tensor);
    const { name, part } = found;
    const last = this.#last?.name === name ? this.#last : { name, matrix: this.blocks(name) };
    this.#last = last;
    const elements = (await last.matrix)[part];
    if (elements === null) throw new AtpcError('ATPC-399', `The parameter '${name}' has no ${part}.`);
    return elements;
  }

  /** The parameter in blocks that a tensor of the package is a part of. */
  #part(tensor: string): { readonly name: string; readonly part: BlockPart } | null {
    const [, name, part] = /^(.*)\.(quants|scales|minima)$/s.exec(tensor) ?? [];
    const format = name === undefined ? null : this.format(name);
    const known = format && blockParts(format).find((candidate) => candidate === part);
    return known && name !== undefined ? { name, part: known } : null;
  }

  /** Whether the package holds less of the values than the checkpoint: F32 or BF16 stored as F16. */
  isRounded(name: string): boolean {
    const { source } = this.#options;
    if (this.format(name) !== null || this.storage(name) !== 'F16') return false;
    return this.#originals(name).some((original) => source.info(original).storage !== 'F16');
  }

  /** The tensors of a program, as they are written: three (or two) for a parameter in blocks. */
  weightTensors({ weights }: Pick<Program, 'weights'>): readonly WeightTensor[] {
    const names = weights.map(({ tensor }) => this.#part(tensor)?.name ?? tensor);
    return [...new Set(names)].flatMap((name) =>
      this.format(name) === null ? [this.#plainTensor(name)] : this.#blockTensors(name),
    );
  }

  #blockTensors(name: string): readonly WeightTensor[] {
    const { source } = this.#options;
    const [rows = 0, columns = 0] = this.shape(name);
    const halves = this.#originals(name).every((original) => source.info(original).storage === 'F16');
    const storage: ScaleStorage = halves ? 'F16' : 'F32';
    const format = this.format(name) as BlockFormat;
    return blockWeights({ name, format, shape: [rows, columns], storage, read: () => this.blocks(name) });
  }

  #plainTensor(name: string): WeightTensor {
    const { source, derived, computed } = this.#options;
    const storage = this.storage(name);
    const raw =
      !derived.has(name) && !computed[name] && source.info(name).format === undefined && source.info(name).storage === storage;
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
