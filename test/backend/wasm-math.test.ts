import { expect } from 'chai';
import { ModuleBuilder } from '../../compiler/codegen/wasm/wat-builder.ts';
import { f32, v128 } from '../../compiler/codegen/wasm/wat-code.ts';
import { scalarMath, vectorMath } from '../../compiler/codegen/wasm/math.ts';
import { exactMath, mathBounds, mathLimits, ulps, type MathName } from './exact-math.ts';
import { instantiateWat } from './wasm-instance.ts';

function moduleText(): string {
  const module = new ModuleBuilder();
  for (const name of Object.keys(exactMath) as MathName[]) {
    module.kernel(`${name}_1`, { operands: ['x', 'result'], integers: [] }, (f, { begin, end, operand }) => {
      const i = f.local('i', 'i32');
      f.for(i, begin, end, 1, () =>
        f.store(f.element(operand('result'), i), f.apply(scalarMath[name], f32.load(f.element(operand('x'), i)))),
      );
    });
    module.kernel(`${name}_4`, { operands: ['x', 'result'], integers: [] }, (f, { begin, end, operand }) => {
      const i = f.local('i', 'i32');
      f.for(i, begin, end, 4, () =>
        f.store(f.element(operand('result'), i), f.apply(vectorMath[name], v128.load(f.element(operand('x'), i)))),
      );
    });
  }
  return module.print();
}

describe('wasm math', () => {
  let instance: Awaited<ReturnType<typeof instantiateWat>>;
  before(async () => {
    instance = await instantiateWat(moduleText());
  });

  const compute = (kernel: string, x: Float32Array): Float32Array => {
    const result = instance.reserve(x.length);
    instance.run(kernel, x.length, [instance.place(x), result], []);
    return instance.floats(result, x.length);
  };

  for (const name of Object.keys(mathBounds) as MathName[]) {
    const { range, measure, limit } = mathBounds[name];
    it(`${name} holds its error bound, in both forms alike`, () => {
      const count = 20000;
      const x = Float32Array.from({ length: count }, (_, i) => range[0] + ((range[1] - range[0]) * i) / (count - 1));
      const [scalars, vectors] = [compute(`${name}_1`, x), compute(`${name}_4`, x)];
      let [worst, at] = [0, 0];
      for (let i = 0; i < count; i++) {
        const error = measure(vectors[i] as number, exactMath[name](x[i] as number));
        if (!(error <= worst)) [worst, at] = [error, x[i] as number];
      }
      expect(worst, `error at ${at}`).to.be.at.most(limit);
      expect(Buffer.compare(Buffer.from(scalars.buffer), Buffer.from(vectors.buffer)), 'bits of the two forms').to.equal(0);
    });
  }

  it('gives the limits', () => {
    for (const [name, x, wanted] of mathLimits) {
      const found = [...compute(`${name}_1`, Float32Array.of(x)), ...compute(`${name}_4`, Float32Array.of(x, x, x, x))];
      for (const value of found) {
        if (Number.isNaN(wanted)) expect(value, `${name}(${x})`).to.be.NaN;
        else expect(value, `${name}(${x})`).to.equal(wanted);
      }
    }
  });

  it('takes the logarithm of subnormal numbers', () => {
    const x = Float32Array.of(1e-40, 3e-39, 1e-44, 2 ** -126);
    for (const [i, found] of compute('log_4', x).entries()) expect(ulps(found, Math.log(x[i] as number))).to.be.at.most(2);
  });
});
