import { expect } from 'chai';
import fc from 'fast-check';
import { float32ToBfloat16, float32ToFloat16 } from '../../compiler/weights/float16.ts';
import { tensorWriter } from '../../runtime/backends/one-memory/weights.ts';

const stored = {
  F32: (values: Float32Array) => values,
  F16: (values: Float32Array) => float32ToFloat16(values).halves,
  BF16: (values: Float32Array) => float32ToBfloat16(values).halves,
} as const;
type Storage = keyof typeof stored;

/** The layout by its definition: [ceil(N / width)][K][width], zero where there is no row. */
function panels(values: Float32Array, rows: number, columns: number, width: number): number[] {
  return Array.from({ length: Math.ceil(rows / width) * columns * width }, (_, at) => {
    const [panel, column] = [Math.floor(at / (columns * width)), Math.floor(at / width) % columns];
    const row = panel * width + (at % width);
    return row < rows ? (values[row * columns + column] ?? NaN) : 0;
  });
}

describe('weights, streamed into a memory', () => {
  it('arrive in rows and in panels, however their bytes are split', () => {
    const cases = fc.record({
      storage: fc.constantFrom<Storage>('F32', 'F16', 'BF16'),
      rows: fc.integer({ min: 1, max: 20 }),
      columns: fc.integer({ min: 1, max: 40 }),
      width: fc.constantFrom(1, 4, 8, 16),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(cases, ({ storage, rows, columns, width, cuts }) => {
        // Small integers are exact in every storage type.
        const values = Float32Array.from({ length: rows * columns }, (_, at) => (at % 255) - 127);
        const bytes = new Uint8Array(stored[storage](values).buffer);
        const panelBytes = Math.ceil(rows / width) * columns * width * 4;
        const memory = new ArrayBuffer(64 + values.byteLength + panelBytes);
        const shape = [rows, columns];
        const writer = tensorWriter(storage, [
          { memory, address: 64, shape, packing: { kind: 'rows' } },
          { memory, address: 64 + values.byteLength, shape, packing: { kind: 'panels', width } },
        ]);
        const borders = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
        for (const [index, begin] of borders.slice(0, -1).entries()) {
          // A copy at an odd offset: files do not align their tensors.
          const piece = bytes.subarray(begin, borders[index + 1]);
          const moved = new Uint8Array(piece.length + 1);
          moved.set(piece, 1);
          writer.write(moved.subarray(1));
        }
        expect(writer.written).to.equal(values.length);
        expect([...new Float32Array(memory, 64, values.length)]).to.deep.equal([...values]);
        expect([...new Float32Array(memory, 64 + values.byteLength)]).to.deep.equal(panels(values, rows, columns, width));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('arrive as bytes where they are quants, however they are split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const memory = new Uint8Array(bytes.length + 10).fill(7);
        const rows = { kind: 'rows' } as const;
        const writer = tensorWriter('U8', [{ memory: memory.buffer, address: 5, shape: [bytes.length], packing: rows }]);
        writer.write(bytes.subarray(0, cut));
        writer.write(bytes.subarray(cut));
        expect(writer.written).to.equal(bytes.length);
        expect([...memory]).to.deep.equal([7, 7, 7, 7, 7, ...bytes, 7, 7, 7, 7, 7]);
      }),
      { numRuns: 100, seed: 1 },
    );
    const memory = new ArrayBuffer(16);
    const panels = { memory, address: 0, shape: [4, 4], packing: { kind: 'panels', width: 4 } } as const;
    expect(() => tensorWriter('U8', [panels])).to.throw('ATPC-403');
  });

  it('decodes every half as its definition says', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    for (const storage of ['F16', 'BF16'] as const) {
      const memory = new ArrayBuffer(4 * 65536);
      tensorWriter(storage, [{ memory, address: 0, shape: [65536], packing: { kind: 'rows' } }]).write(
        new Uint8Array(halves.buffer),
      );
      const decoded = new Float32Array(memory);
      // Narrowing an exact value gives its bits back; -0 and both infinities among them.
      const finite = [...halves].filter((bits) => Number.isFinite(decoded[bits]));
      expect(finite).to.have.length(storage === 'F16' ? 63488 : 65280);
      const narrowed = stored[storage](Float32Array.from(finite, (bits) => decoded[bits] ?? NaN));
      expect([...narrowed]).to.deep.equal(finite);
    }
  });
});
