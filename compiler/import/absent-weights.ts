/** Models whose shapes are known and whose weights are not there: config.json alone says what a program of them costs. */
import { graphNodes, isOp, type Graph } from '../../ir/graph.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { SafetensorsType } from '../schema/safetensors.ts';
import { memorySource, missingTensor, type TensorInfo, type TensorSource } from '../weights/tensor-source.ts';

/** No tensors at all. */
export const absentTensors: TensorSource = memorySource({});

/** Element types as config.json names them (`torch_dtype`, in transformers 5 `dtype`); anything else would be f32. */
const storages: Readonly<Record<string, SafetensorsType>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };
export function declaredStorage(config: { readonly torch_dtype?: unknown; readonly dtype?: unknown }): SafetensorsType {
  const named = String(config.dtype ?? config.torch_dtype);
  return (Object.hasOwn(storages, named) ? storages[named] : undefined) ?? 'F32';
}

/** The parameters of a graph as if a folder had them; ATPC-201 for one that is read. */
export function describedTensors(folder: string, graph: Graph, storage: SafetensorsType): TensorSource {
  const infos = new Map<string, TensorInfo>();
  for (const node of graphNodes(graph))
    if (isOp(node, 'parameter')) infos.set(node.attributes.name, { storage, shape: node.attributes.shape.map(Number) });
  const info = (name: string): TensorInfo => {
    const found = infos.get(name);
    if (found === undefined) throw missingTensor(name);
    return found;
  };
  const refuse = (name: string): Promise<never> =>
    Promise.reject(new AtpcError('ATPC-201', `The folder ${folder} has no weights, and the values of '${name}' are needed.`));
  return { names: () => [...infos.keys()], has: (name) => infos.has(name), info, readFloat32: refuse, readRaw: refuse };
}
