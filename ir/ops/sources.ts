/** Ops without inputs: model inputs, parameters, constants and index tensors. */
import { expectAxis, fail, tensorInputs, tensorType } from './rule.ts';
import { costOf, noCost } from './cost.ts';
import { contiguousStrides, elementsOf } from './strides.ts';
import type { OpDefinition, Tensor } from './definition.ts';
import { formatType, type TensorType } from '../type.ts';
import { elementCount, type Size } from '../size.ts';
import type { ElementType } from '../element-type.ts';

function expectSizes(op: 'input' | 'parameter' | 'state' | 'iota', type: TensorType): TensorType {
  for (const size of type.shape) {
    if (typeof size === 'number' && !(Number.isInteger(size) && size >= 0)) {
      fail(`${op} cannot have the shape ${formatType(type)}: ${size} is not a size.`);
    }
  }
  return type;
}

function namedSource<K extends 'input' | 'parameter' | 'state'>(name: K): OpDefinition<K> {
  type Declared = { readonly name: string; readonly elementType: ElementType; readonly shape: readonly Size[] };
  return {
    name,
    inputs: 0,
    type(attributes: Declared, inputs) {
      tensorInputs(name, inputs, 0);
      if (attributes.name === '') fail(`The op ${name} needs a name.`);
      return expectSizes(name, tensorType(attributes.elementType, attributes.shape));
    },
    evaluate(attributes: Declared, _inputs, context) {
      const tensor = context.read(name, attributes.name);
      const shape = attributes.shape.map((size) => context.size(size));
      const matches = tensor.shape.length === shape.length && shape.every((size, axis) => tensor.shape[axis] === size);
      if (tensor.elementType !== attributes.elementType || !matches) {
        throw new RangeError(
          `The ${name} "${attributes.name}" should be ${attributes.elementType}[${shape.join(', ')}] ` +
            `but is ${tensor.elementType}[${tensor.shape.join(', ')}].`,
        );
      }
      return [tensor];
    },
    cost: () => noCost,
    decompose: null,
  };
}

export const input = namedSource('input');
export const parameter = namedSource('parameter');
export const state = namedSource('state');

export const constant: OpDefinition<'constant'> = {
  name: 'constant',
  inputs: 0,
  type(attributes, inputs) {
    tensorInputs('constant', inputs, 0);
    const { elementType, value } = attributes;
    const fits = { f32: true, i32: Object.is(value, value | 0), bool: Object.is(value, 0) || value === 1 }[elementType];
    if (!fits) fail(`constant cannot hold ${value} as ${elementType}.`);
    return tensorType(elementType, []);
  },
  evaluate(attributes, _inputs, context) {
    const result = context.allocate(attributes.elementType, []);
    result.data[0] = attributes.value;
    return [result];
  },
  cost: () => noCost,
  decompose: null,
};

export const iota: OpDefinition<'iota'> = {
  name: 'iota',
  inputs: 0,
  type(attributes, inputs) {
    tensorInputs('iota', inputs, 0);
    const type = expectSizes('iota', tensorType('i32', attributes.shape));
    expectAxis('iota', type, attributes.axis);
    return type;
  },
  evaluate(attributes, _inputs, context) {
    const shape = attributes.shape.map((size) => context.size(size));
    const result: Tensor = context.allocate('i32', shape);
    const stride = contiguousStrides(shape)[attributes.axis] as number;
    const size = shape[attributes.axis] as number;
    for (let at = 0; at < elementsOf(shape); at += 1) result.data[at] = Math.floor(at / stride) % size;
    return [result];
  },
  cost: (attributes, inputs, output) => costOf(elementCount(attributes.shape), inputs, output),
  decompose: null,
};
