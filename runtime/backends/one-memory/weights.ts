import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import type { Program, ProgramBuffer, WeightPacking } from '../../format/program.ts';
import {
  blockElements,
  decoders,
  storageBytes,
  type Decoder,
  type NumberStorage,
  type Storage,
  type TensorWriter,
} from '../stored-numbers.ts';

/** Where a tensor goes, and in which order. */
export interface WeightDestination {
  readonly memory: ArrayBufferLike;
  /** Byte address in the memory. */
  readonly address: number;
  readonly shape: readonly number[];
  readonly packing: WeightPacking;
}

/** Throws ATPC-403 for a packing that the storage does not have. */
export function tensorWriter(storage: Storage, destinations: readonly WeightDestination[]): TensorWriter {
  return storage === 'U8' ? new ByteWriter(destinations) : new NumberWriter(storage, destinations);
}

/**
 * Takes the stored bytes of a tensor to its places in the program; undefined for a tensor that the program does not use. `placeOf` says
 * where a buffer of the weights lies. Throws ATPC-403 for a tensor of another shape.
 */
export function weightWriter(
  { weights, buffers }: Pick<Program, 'weights' | 'buffers'>,
  { name, storage, shape }: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>,
  placeOf: (buffer: ProgramBuffer) => Pick<WeightDestination, 'memory' | 'address'>,
): TensorWriter | undefined {
  const uses = weights.filter(({ tensor }) => tensor === name);
  if (uses.length === 0) return undefined;
  const destinations = uses.map((weight) => {
    if (JSON.stringify(weight.shape) !== JSON.stringify(shape)) {
      throw new AtpcError(
        'ATPC-403',
        `The tensor '${name}' has the shape [${shape.join(', ')}]; program.json needs [${weight.shape.join(', ')}].`,
      );
    }
    return { ...placeOf(buffers[weight.buffer] as ProgramBuffer), shape: weight.shape, packing: weight.packing };
  });
  return tensorWriter(storage, destinations);
}

/** Quants of block-quantised weights: bytes as they are, row-major. */
class ByteWriter implements TensorWriter {
  readonly #destinations: readonly WeightDestination[];
  #written = 0;

  constructor(destinations: readonly WeightDestination[]) {
    const other = destinations.find(({ packing }) => packing.kind !== 'rows');
    if (other !== undefined)
      throw new AtpcError('ATPC-403', `program.json packs bytes as ${other.packing.kind}, and they can be packed as rows only.`);
    this.#destinations = destinations;
  }
  get written(): number {
    return this.#written;
  }

  write(bytes: Uint8Array): void {
    for (const { memory, address } of this.#destinations)
      new Uint8Array(memory, address + this.#written, bytes.length).set(bytes);
    this.#written += bytes.length;
  }
}

/**
 * Numbers become f32, in the layout of each destination. Nothing but one block is held besides. The memory has to be zero
 * where a last panel is padded.
 */
class NumberWriter implements TensorWriter {
  readonly #destinations: readonly WeightDestination[];
  readonly #width: number;
  readonly #decode: Decoder;
  readonly #staging = new Uint8Array(blockElements * 4);
  #staged = 0;
  #written = 0;

  constructor(storage: NumberStorage, destinations: readonly WeightDestination[]) {
    this.#destinations = destinations;
    this.#width = storageBytes[storage];
    this.#decode = decoders[storage]();
  }
  get written(): number {
    return this.#written;
  }

  write(bytes: Uint8Array): void {
    const capacity = blockElements * this.#width;
    for (let at = 0; at < bytes.length;) {
      // Elements may straddle two pieces and need not be aligned in the file; in the staging block they are.
      const take = Math.min(bytes.length - at, capacity - this.#staged);
      this.#staging.set(bytes.subarray(at, at + take), this.#staged);
      this.#staged += take;
      at += take;
      if (this.#staged === capacity) this.#flush();
    }
    this.#flush();
  }

  #flush(): void {
    const count = Math.floor(this.#staged / this.#width);
    if (count === 0) return;
    const values = this.#decode(this.#staging.buffer, count);
    for (const destination of this.#destinations) {
      if (destination.packing.kind === 'rows') {
        new Float32Array(destination.memory, destination.address + this.#written * 4, count).set(values);
      } else {
        this.#writePanels(destination, destination.packing.width, values);
      }
    }
    this.#written += count;
    const used = count * this.#width;
    this.#staging.copyWithin(0, used, this.#staged);
    this.#staged -= used;
  }

  /** Element (n, k) of [N, K] goes to [floor(n / width)][k][n % width]. */
  #writePanels(destination: WeightDestination, width: number, values: Float32Array): void {
    const [rows = 1, ...rest] = destination.shape;
    const columns = rest.reduce((product, size) => product * size, 1);
    const target = new Float32Array(destination.memory, destination.address, Math.ceil(rows / width) * columns * width);
    for (let at = 0; at < values.length;) {
      const row = Math.floor((this.#written + at) / columns);
      const column = (this.#written + at) % columns;
      const stop = Math.min(values.length, at + columns - column);
      let to = (Math.floor(row / width) * columns + column) * width + (row % width);
      for (; at < stop; at++, to += width) target[to] = values[at] as number;
    }
  }
}
