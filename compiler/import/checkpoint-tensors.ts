/** The tensors of a checkpoint: one safetensors file, or shards with an index. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { isNotFound, readJson, unreadable } from '../schema/json.ts';
import { validateShardIndex } from '../schema/safetensors.ts';
import { missingTensor, type TensorSource } from '../weights/tensor-source.ts';
import { SafetensorsFile } from './safetensors.ts';

const singleFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';

export interface CheckpointTensors {
  readonly tensors: TensorSource;
  /** The files that were read, in a deterministic order. */
  readonly files: readonly string[];
}

/**
 * Opens a safetensors file, or a folder with model.safetensors or (only where that is not there, as transformers does it)
 * model.safetensors.index.json. Throws ATPC-201, ATPC-204 and ATPC-208.
 */
export async function openCheckpointTensors(location: string): Promise<CheckpointTensors> {
  if (!(await isFolder(location))) {
    return { tensors: await SafetensorsFile.open(location), files: [location] };
  }
  const names = await readdir(location);
  if (names.includes(singleFile)) {
    const file = path.join(location, singleFile);
    return { tensors: await SafetensorsFile.open(file), files: [file] };
  }
  if (names.includes(indexFile)) return await openShards(location);
  const pickled = names.find((name) => /^pytorch_model.*\.bin$|\.(pt|pth|ckpt|h5|msgpack)$/.test(name));
  throw new AtpcError('ATPC-201', `The folder ${location} has neither ${singleFile} nor ${indexFile}.`, {
    ...(pickled !== undefined && {
      hint: `It has ${pickled}, which is not read: save the model again with safe_serialization=True.`,
    }),
  });
}

/** Whether a folder has files that `openCheckpointTensors` reads. */
export async function hasCheckpointTensors(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  return names.includes(singleFile) || names.includes(indexFile);
}

async function isFolder(location: string): Promise<boolean> {
  try {
    return (await stat(location)).isDirectory();
  } catch (cause) {
    throw unreadable(location, cause);
  }
}

async function openShards(folder: string): Promise<CheckpointTensors> {
  const file = path.join(folder, indexFile);
  const { weight_map: weightMap } = await readJson(file, validateShardIndex, 'ATPC-204');
  const shards = new Map<string, SafetensorsFile>();
  const byTensor = new Map<string, SafetensorsFile>();
  for (const [tensor, shardName] of Object.entries(weightMap)) {
    // A name from outside must not lead out of the folder.
    if (!/^[^/\\\0]+\.safetensors$/.test(shardName) || shardName.includes('..')) {
      throw new AtpcError(
        'ATPC-208',
        `${file} puts the tensor '${tensor}' into the shard '${shardName}', which is not the plain name of a .safetensors file.`,
      );
    }
    let shard = shards.get(shardName);
    if (shard === undefined) {
      shard = await openShard(folder, shardName, tensor);
      shards.set(shardName, shard);
    }
    if (!shard.has(tensor)) {
      throw new AtpcError(
        'ATPC-204',
        `${file} says that the tensor '${tensor}' is in ${shardName}, and that shard does not have it.`,
      );
    }
    byTensor.set(tensor, shard);
  }
  const shardOf = (tensor: string): SafetensorsFile => {
    const shard = byTensor.get(tensor);
    if (shard === undefined) throw missingTensor(tensor);
    return shard;
  };
  const tensors: TensorSource = {
    names: () => [...byTensor.keys()],
    has: (name) => byTensor.has(name),
    info: (name) => shardOf(name).info(name),
    readFloat32: async (name) => await shardOf(name).readFloat32(name),
    readRaw: async (name) => await shardOf(name).readRaw(name),
  };
  return { tensors, files: [file, ...[...shards.values()].map((shard) => shard.file).sort()] };
}

async function openShard(folder: string, shardName: string, tensor: string): Promise<SafetensorsFile> {
  try {
    return await SafetensorsFile.open(path.join(folder, shardName));
  } catch (error) {
    if (!(error instanceof AtpcError) || !isNotFound(error.cause)) throw error;
    throw new AtpcError(
      'ATPC-201',
      `${indexFile} in ${folder} puts the tensor '${tensor}' into ${shardName}, and that file is not there.`,
      {
        cause: error,
      },
    );
  }
}
