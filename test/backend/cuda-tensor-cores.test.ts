/**
 * The functions of compiler/codegen/cuda/tensor-core-intrinsics.ts, one by one: on the simulated device their twin, on a GPU their
 * inline PTX.
 */
import { expect } from 'chai';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaIsThere, onHardware } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { numbers, restartNumbers, type Floats } from './products.ts';
import { roundings } from './rounded.ts';
import { cudaText, runCudaText } from './run-cuda-kernels.ts';

const types = ['f16', 'bf16'] as const;
const lanes = Array.from({ length: 32 }, (_, lane) => lane);
const kernel = (name: string, body: string): string => `
extern "C" __global__ void __launch_bounds__(32) ${name}(const f32 *__restrict__ given, const f32 *__restrict__ more, f32 *__restrict__ result) {
  __shared__ vec4<u32> tile[64];
  const i32 lane = threadIdx.x;
${body}
}
`;

/** One product of 16 x 16 and 8 x 16 (or 16 x 8), its sides from rows in shared memory, where each chunk of eight is one of `tile`. */
const product = (type: (typeof types)[number], how: 'rows' | 'two loads' | 'transposed'): string => {
  const right = {
    rows: `load_4_matrices(right, &tile[32 + lane % 8 * 2 + lane / 8 % 2]);`,
    'two loads': `load_1_matrices(right, &tile[32 + lane % 8 * 2]);
  load_1_matrices(right + 1, &tile[32 + lane % 8 * 2 + 1]);`,
    // [K, columns]: rows of 8 columns.
    transposed: `load_2_matrices_transposed(right, &tile[32 + lane % 16]);`,
  }[how];
  const left = {
    rows: `load_4_matrices(left, &tile[lane % 16 * 2 + lane / 16]);`,
    'two loads': `load_2_matrices(left, &tile[lane % 16 * 2]);
  load_2_matrices(left + 2, &tile[lane % 16 * 2 + 1]);`,
    // [K, rows]: matrices of K and rows, which are exchanged: first those of K below 8.
    transposed: `load_4_matrices_transposed(left, &tile[(lane / 16 * 8 + lane % 8) * 2 + lane / 8 % 2]);`,
  }[how];
  return kernel(
    `${type}_${how.replace(' ', '_')}`,
    `  for (i32 at = lane; at < 48; at += 32) {
    const f32 *from = at < 32 ? given + at * 8 : more + (at - 32) * 8;
    tile[at] = vec4<u32>(pack_${type}(from[0], from[1]), pack_${type}(from[2], from[3]), pack_${type}(from[4], from[5]), pack_${type}(from[6], from[7]));
  }
  __syncthreads();
  u32 left[4], right[4];
  f32 sums[4];
  for (i32 index = 0; index < 4; index += 1) {
    sums[index] = 1.0f + index;
  }
  ${left}
  ${right}
  multiply_${type}(sums, left, right);
  for (i32 index = 0; index < 4; index += 1) {
    result[(lane / 4 + index / 2 * 8) * 8 + lane % 4 * 2 + index % 2] = sums[index];
  }`,
  );
};
const packs = types.map((type) =>
  kernel(
    `pack_${type}_words`,
    `  const u32 word = pack_${type}(given[2 * lane], given[2 * lane + 1]);
  result[2 * lane] = f32(word & 0xffffu);
  result[2 * lane + 1] = f32(word >> 16);`,
  ),
);
/** Each lane copies a chunk of four words; odd ones with zeros. `early` reads before it has waited. */
const copies = kernel(
  'copies',
  `  tile[lane] = vec4<u32>(bits_of_f32(7.0f));
  tile[32 + lane] = vec4<u32>(bits_of_f32(7.0f));
  copy_async(&tile[lane], given + 4 * lane, lane % 2 == 1);
  close_copies();
  copy_async(&tile[32 + lane], more + 4 * lane, false);
  close_copies();
  wait_for_copies<1>();
  for (i32 word = 0; word < 4; word += 1) {
    result[4 * lane + word] = f32_of_bits(tile[lane][word]);
    result[128 + 4 * lane + word] = f32_of_bits(tile[32 + lane][word]);
  }
  wait_for_copies<0>();
  for (i32 word = 0; word < 4; word += 1) {
    result[256 + 4 * lane + word] = f32_of_bits(tile[32 + lane][word]);
  }`,
);
const text = cudaText(
  ...types.flatMap((type) => (['rows', 'two loads', 'transposed'] as const).map((how) => product(type, how))),
  ...packs,
  copies,
);

describe('tensor cores and asynchronous copies', function () {
  this.timeout(300_000);
  before(function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
  });
  beforeEach(restartNumbers);
  const launched = (name: string, given: Floats, more: Floats, length: number): Promise<Float32Array> =>
    runCudaText(text, name, [given, more], new Float32Array(length));

  for (const type of types) {
    const transpose = (values: Floats, rows: number): Floats =>
      Float32Array.from(values, (_, at) => values[(at % rows) * 16 + Math.floor(at / rows)] ?? NaN);
    for (const how of ['rows', 'two loads', 'transposed'] as const) {
      it(`${type}, ${how}: sums and the product of 16 x 16 and 8 x 16`, async () => {
        const [left, right] = [numbers(256), numbers(128)];
        const given = how === 'transposed' ? [transpose(left, 16), transpose(right, 8)] : [left, right];
        const [found, round] = [
          await launched(`${type}_${how.replace(' ', '_')}`, given[0] as Floats, given[1] as Floats, 128),
          roundings[type],
        ];
        found.forEach((value, at) => {
          const [row, column] = [Math.floor(at / 8), at % 8];
          // What the sum was before: the number of its register and one.
          let expected = 1 + (row >= 8 ? 2 : 0) + (column % 2);
          for (let k = 0; k < 16; k += 1)
            expected += round(left[row * 16 + k] as number) * round(right[column * 16 + k] as number);
          expect(value, `${row}, ${column}`).to.be.closeTo(expected, 1e-5);
        });
      });
    }
    it(`${type}: floats are rounded to the nearest, ties to even`, async () => {
      const unit = type === 'f16' ? 2 ** -11 : 2 ** -8;
      const values = [0, -0, 1, 1 + unit, 1 + 3 * unit, 1 + unit * 1.01, -1 - unit, 65504, 65519, 65520, -1e30, 2 ** -24];
      const more = [
        2 ** -25,
        3 * 2 ** -25,
        2 ** -14,
        2 ** -14 - 2 ** -26,
        6e-8,
        3.4e38,
        -3.4e38,
        Infinity,
        -Infinity,
        1e-40,
        0.1,
      ];
      const given = Float32Array.from({ length: 64 }, (_, at) => [...values, ...more][at] ?? Math.sin(at) * 2 ** (at - 48));
      const found = await launched(`pack_${type}_words`, given, given, 64);
      const valueOf = (bits: number): number => {
        const [significand, exponentBits] = type === 'f16' ? [10, 5] : [7, 8];
        const exponent = (bits >> significand) & (2 ** exponentBits - 1);
        const fraction = bits & (2 ** significand - 1);
        const sign = bits >= 0x8000 ? -1 : 1;
        if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
        const least = 2 - 2 ** (exponentBits - 1) - significand;
        return sign * (exponent === 0 ? fraction * 2 ** least : (fraction + 2 ** significand) * 2 ** (least + exponent - 1));
      };
      given.forEach((value, at) => expect(valueOf(found[at] as number), String(value)).to.equal(roundings[type](value)));
    });
  }
  it('copies are there once they were waited for, and zeros where nothing is to be copied', async () => {
    const [first, second] = [numbers(128), numbers(128)];
    const found = await launched('copies', first, second, 384);
    lanes.forEach((lane) => {
      for (let word = 4 * lane; word < 4 * lane + 4; word += 1) {
        expect(found[word]).to.equal(lane % 2 === 1 ? 0 : first[word]);
        // The simulated device copies as late as it may; a GPU at any time.
        if (!onHardware) expect(found[128 + word]).to.equal(7);
        expect(found[256 + word]).to.equal(second[word]);
      }
    });
  });
});
