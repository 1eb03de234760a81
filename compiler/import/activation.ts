/** Names of activations in transformers; the spellings on one side of the table compute the same. */
import { AtpcError } from '../../runtime/errors.ts';

export type Activation = 'gelu' | 'gelu_tanh' | 'relu' | 'silu';

const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
};

/** Throws ATPC-202 for a name that is not known. */
export function activationNamed(file: string, name: string): Activation {
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (activation !== undefined) return activation;
  throw new AtpcError('ATPC-202', `${file} has hidden_act '${name}', which is not known.`, {
    hint: `Known activations: ${Object.keys(activations).join(', ')}.`,
  });
}
