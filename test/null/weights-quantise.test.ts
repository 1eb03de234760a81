import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { SafetensorsFile } from '../../compiler/import/safetensors.ts';
import { dequantise, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { blockWeights, isFloat16 } from '../../compiler/weights/block-weights.ts';
import { canQuantise, quantise, quantisedScales, type QuantName } from '../../compiler/weights/quantise.ts';
import { writeWeights } from '../../compiler/weights/write.ts';
import { failure, temporaryFolder } from './import-files.ts';

/** Half a scale, and what rounding the two operations of a value to f32 adds. */
function allowed({ scales, minima }: BlockMatrix, at: number): number {
  const block = Math.floor(at / 32);
  const scale = scales[block] as number;
  return scale / 2 + 2 ** -23 * (Math.abs(minima?.[block] ?? 0) + 255 * scale);
}

/** Values of blocks that differ in size by many orders, some of them constant or zero. */
const someValues = fc
  .record({ rows: fc.integer({ min: 1, max: 3 }), blocks: fc.integer({ min: 1, max: 3 }) })
  .chain(({ rows, blocks }) =>
    fc
      .array(
        fc.record({
          exponent: fc.integer({ min: -30, max: 14 }),
          offset: fc.constantFrom(0, 0, 1, -3),
          parts: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 32 }),
        }),
        { minLength: rows * blocks, maxLength: rows * blocks },
      )
      .map((list) => ({
        shape: [rows, blocks * 32] as const,
        values: Float32Array.from(
          list.flatMap(({ exponent, offset, parts }) =>
            Array.from({ length: 32 }, (_, j) => 2 ** exponent * ((parts[j % parts.length] as number) + offset)),
          ),
        ),
      })),
  );

describe('quantising weights', () => {
  const folder = temporaryFolder();

  for (const quant of ['q8', 'q4'] as const) {
    it(`${quant}: every value within half a scale, and scales as small as they can be`, () => {
      fc.assert(
        fc.property(someValues, ({ shape, values }) => {
          const matrix = quantise('w', quant, values, shape);
          const back = dequantise(matrix);
          for (const [at, value] of values.entries())
            expect(Math.abs((back[at] as number) - value)).to.be.at.most(allowed(matrix, at));
          for (let block = 0; block < matrix.scales.length; block += 1) {
            const part = values.subarray(block * 32, block * 32 + 32);
            const [min, max] = [Math.min(...part), Math.max(...part)];
            const ideal = quant === 'q8' ? Math.max(-min, max) / 127 : (max - min) / 15;
            // Rounded up to a half, and for q4 after the minimum was rounded down to one.
            const lowest = quant === 'q8' ? 0 : Math.abs(min) / 15;
            expect(matrix.scales[block]).to.be.at.least(Math.fround(ideal) * (1 - 2 ** -20));
            expect(matrix.scales[block]).to.be.at.most((ideal + lowest * 2 ** -10) * (1 + 2 ** -10) + 2 ** -23);
          }
          expect(isFloat16(matrix.scales)).to.equal(true);
          expect(matrix.minima === null || isFloat16(matrix.minima)).to.equal(true);
        }),
        { numRuns: 300, seed: 1 },
      );
    });
  }

  it('gives the errors that normally distributed weights have', () => {
    // Box-Muller over a linear congruential generator.
    let state = 1;
    const uniform = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 + 2 ** -33;
    const values = Float32Array.from(
      { length: 1 << 15 },
      () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
    const relative = (quant: QuantName): number => {
      const back = dequantise(quantise('w', quant, values, [256, 128]));
      const sum = (of: (at: number) => number): number => values.reduce((total, _, at) => total + of(at) ** 2, 0);
      return Math.sqrt(sum((at) => (back[at] as number) - (values[at] as number)) / sum((at) => values[at] as number));
    };
    // Uniform rounding: a scale has 1/sqrt(12) of error; the range of 32 normal values is about 4.1 sigma, their largest 2.4.
    expect(relative('q8')).to.be.within(0.004, 0.007);
    expect(relative('q4')).to.be.within(0.07, 0.09);
  });

  it('refuses what cannot be quantised', async () => {
    const values = new Float32Array(32);
    expect([canQuantise('q8', [4, 64]), canQuantise('q4', [4, 48]), canQuantise('q8', [64])]).to.deep.equal([true, false, false]);
    expect(() => quantise('w', 'q8', values, [1, 31])).to.throw(RangeError);
    values[3] = NaN;
    expect((await failure('ATPC-207', () => quantise('w', 'q8', values, [1, 32]))).message)
      .to.include("'w'")
      .and.include('element 3');
    values[3] = -1e6;
    expect((await failure('ATPC-207', () => quantise('w', 'q4', values, [1, 32]))).message).to.include('65504');
    expect(quantise('w', 'q8', values, [1, 32]).quants[3]).to.equal(129);
  });

  it('is written as quants, scales and minima, and comes back', async () => {
    const values = Float32Array.from({ length: 4 * 64 }, (_, at) => Math.sin(at));
    for (const quant of ['q8', 'q4'] as const) {
      const matrix = quantise('w', quant, values, [4, 64]);
      const out = await mkdtemp(path.join(folder(), 'out-'));
      let reads = 0;
      const weights = blockWeights({
        name: 'w',
        format: matrix.format,
        shape: matrix.shape,
        storage: quantisedScales,
        read: async () => {
          reads += 1;
          return matrix;
        },
      });
      const { tensors } = await writeWeights(out, weights);
      expect(reads).to.equal(1);
      const file = await SafetensorsFile.open(path.join(out, 'weights/00001.safetensors'));
      const minima = matrix.format.minima ? await file.readFloat32('w.minima') : null;
      expect(file.has('w.minima')).to.equal(quant === 'q4');
      expect([file.info('w.quants').storage, file.info('w.scales').storage]).to.deep.equal(['U8', 'F16']);
      expect(file.info('w.quants').shape).to.deep.equal([4, quant === 'q4' ? 32 : 64]);
      expect(tensors.map(({ storage }) => storage)).to.deep.equal(quant === 'q4' ? ['U8', 'F16', 'F16'] : ['U8', 'F16']);
      const back = { ...matrix, quants: await file.readRaw('w.quants'), scales: await file.readFloat32('w.scales'), minima };
      expect([...dequantise(back)]).to.deep.equal([...dequantise(matrix)]);
    }
  });

  it('refuses scales that F16 does not hold, and numbers for quants', async () => {
    const exact = quantise('w', 'q8', new Float32Array(32).fill(1), [1, 32]);
    const matrix = { ...exact, scales: Float32Array.of(0.1) };
    const weights = (storage: 'F16' | 'F32'): Promise<unknown> =>
      writeWeights(
        folder(),
        blockWeights({ name: 'w', format: matrix.format, shape: matrix.shape, storage, read: async () => matrix }),
      );
    expect((await failure('ATPC-399', weights('F16'))).message).to.include("'w.scales'");
    await weights('F32');
    const read = async (): Promise<Float32Array> => new Float32Array(1);
    await failure('ATPC-399', writeWeights(folder(), [{ name: 'w', shape: [1], storage: 'U8', read }]));
  });
});
