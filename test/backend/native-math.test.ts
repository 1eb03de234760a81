import { expect } from 'chai';
import type { ElementwiseOp, MapKernel } from '../../compiler/kernel/kernel.ts';
import { exactMath, mathBounds, mathLimits, ulps, type MathName } from './exact-math.ts';
import type { KernelInstance } from './kernel-instance.ts';
import { nativeKernelBuilds } from './native-instance.ts';

const mathNames = Object.keys(mathBounds) as MathName[];
const opOf = (name: MathName): ElementwiseOp => (name === 'geluTanh' ? 'gelu_tanh' : name);
function mapOf(name: MathName): MapKernel {
  const operand = { elementType: 'f32', lastStride: 1, indirect: false } as const;
  const body = { kind: 'apply', type: 'f32', op: opOf(name), inputs: [{ kind: 'load', type: 'f32', operand: 0 }] } as const;
  const result = { elementType: 'f32', lastStride: 1 } as const;
  return { kind: 'map', rank: 1, operands: [operand], reduction: null, body, epilogue: null, result };
}

for (const build of nativeKernelBuilds) {
  describe(`math of ${build.title}`, () => {
    let instance: KernelInstance;
    before(async function () {
      build.skip(this);
      instance = await build.instantiate(Object.fromEntries(mathNames.map((name) => [name, mapOf(name)])));
    });
    const compute = (name: MathName, x: Float32Array): Float32Array => {
      const result = instance.reserve(x.length);
      instance.run(name, 1, [instance.place(x), result], [x.length, 1, 1]);
      return instance.floats(result, x.length);
    };

    for (const name of mathNames) {
      const { range, measure, limit } = mathBounds[name];
      it(`${name} holds its error bound, wherever a number stands in its vector`, () => {
        const count = 20000;
        const x = Float32Array.from({ length: count }, (_, i) => range[0] + ((range[1] - range[0]) * i) / (count - 1));
        const found = compute(name, x);
        let [worst, at] = [0, 0];
        for (let i = 0; i < count; i++) {
          const error = measure(found[i] as number, exactMath[name](x[i] as number));
          if (!(error <= worst)) [worst, at] = [error, x[i] as number];
        }
        expect(worst, `error at ${at}`).to.be.at.most(limit);
        // Another start puts each number into another lane, the last ones into a vector that is not full.
        expect(compute(name, x.slice(5))).to.deep.equal(found.slice(5));
      });
    }

    it('gives the limits', () => {
      for (const [name, x, wanted] of mathLimits) {
        for (const value of compute(name, new Float32Array(17).fill(x))) {
          if (Number.isNaN(wanted)) expect(value, `${name}(${x})`).to.be.NaN;
          else expect(value, `${name}(${x})`).to.equal(wanted);
        }
      }
    });

    it('takes the logarithm of subnormal numbers', () => {
      const x = Float32Array.of(1e-40, 3e-39, 1e-44, 2 ** -126);
      for (const [i, found] of compute('log', x).entries()) expect(ulps(found, Math.log(x[i] as number))).to.be.at.most(2);
    });
  });
}
