// === kernel maps_gather ===
// maps_gather
// One element a thread, of one of 3 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_2_x0_offset: i32,
  part_2_x1_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_2_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_indirect: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_indirect: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_2_extent_0: i32,
  part_2_extent_1: i32,
  part_2_x0_stride_0: i32,
  part_2_x0_stride_1: i32,
  part_2_x1_stride_0: i32,
  part_2_x1_stride_1: i32,
  part_2_x1_stride_indirect: i32,
  part_2_result_stride_0: i32,
  part_2_result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read> part_0_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_1_x0_part_2_x0_buffer: array<i32>;
@group(0) @binding(4) var<storage, read> part_1_x1_buffer: array<f32>;
@group(0) @binding(5) var<storage, read> part_2_x1_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> part_0_result_buffer: array<f32>;
@group(0) @binding(7) var<storage, read_write> part_1_result_buffer: array<f32>;
@group(0) @binding(8) var<storage, read_write> part_2_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_2: i32 = element % sizes.part_0_extent_2;
    let rest: i32 = element / sizes.part_0_extent_2;
    let index_1: i32 = rest % sizes.part_0_extent_1;
    let rest_2: i32 = rest / sizes.part_0_extent_1;
    let index_0: i32 = rest_2;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2] = part_0_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 + part_0_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1] * sizes.part_0_x1_stride_indirect];
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_1_2: i32 = element_2 % sizes.part_1_extent_1;
    let rest_3: i32 = element_2 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_3;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2] = part_1_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 + part_1_x0_part_2_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0] * sizes.part_1_x1_stride_indirect];
    }
  }
  let part_2_end: i32 = part_1_end + (sizes.part_2_extent_0 * sizes.part_2_extent_1 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    let element_3: i32 = (item - part_1_end) * 64 + thread;
    let index_1_3: i32 = element_3 % sizes.part_2_extent_1;
    let rest_4: i32 = element_3 / sizes.part_2_extent_1;
    let index_0_3: i32 = rest_4;
    if (index_0_3 < sizes.part_2_extent_0) {
      part_2_result_buffer[sizes.part_2_result_offset + index_0_3 * sizes.part_2_result_stride_0 + index_1_3] = part_2_x1_buffer[sizes.part_2_x1_offset + index_0_3 * sizes.part_2_x1_stride_0 + index_1_3 + part_1_x0_part_2_x0_buffer[sizes.part_2_x0_offset + index_0_3 * sizes.part_2_x0_stride_0] * sizes.part_2_x1_stride_indirect];
    }
  }
}

// === kernel rms_norm ===
// rms_norm
// rms_norm of one row a workgroup.

struct Sizes {
  items: i32,
  x0_offset: i32,
  weight_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> weight_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let index_1: i32 = item % sizes.extent_1;
  let rest: i32 = item / sizes.extent_1;
  let index_0: i32 = rest;
  let row: i32 = item * sizes.extent_2;
  var partial_2: f32 = f32();
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let value: f32 = x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + column];
    result_buffer[sizes.result_offset + row + column] = value;
    partial_2 += value * value;
  }
  var squares: f32 = partial_2;
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let scale: f32 = 1.0 / sqrt(squares / f32(sizes.extent_2) + 0.000009999999747378752);
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    result_buffer[sizes.result_offset + row + column] = result_buffer[sizes.result_offset + row + column] * scale * weight_buffer[sizes.weight_offset + column];
  }
}

// === kernel gemm ===
// gemm
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 160>;
var<workgroup> right_tile: array<vec4<f32>, 320>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 16) {
    for (var run: i32 = thread; run < 128; run += 128) {
      let tile_row: i32 = run / 4;
      let within: i32 = run % 4 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 5 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row_2: i32 = run / 4;
      let within_2: i32 = run % 4 * 4;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let start_2: i32 = row_2 * sizes.depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes.right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 4; quad += 1) {
      let left_at: i32 = thread_row * 5 + quad;
      let right_at: i32 = thread_column * 5 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 80];
      let right_2: vec4<f32> = right_tile[right_at + 160];
      let right_3: vec4<f32> = right_tile[right_at + 240];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0;
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1;
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2;
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3;
    }
  }
}

// === kernel maps_subtract_add_copy ===
// maps_subtract_add_copy
// One element a thread, of one of 5 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_0_x2_offset: i32,
  part_0_x3_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_1_x2_offset: i32,
  part_1_x3_offset: i32,
  part_2_x0_offset: i32,
  part_2_x1_offset: i32,
  part_2_x2_offset: i32,
  part_2_x3_offset: i32,
  part_3_x0_offset: i32,
  part_3_x1_offset: i32,
  part_3_x2_offset: i32,
  part_3_x3_offset: i32,
  part_4_x0_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_2_result_offset: i32,
  part_3_result_offset: i32,
  part_4_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_3: i32,
  part_0_x2_stride_0: i32,
  part_0_x2_stride_1: i32,
  part_0_x2_stride_2: i32,
  part_0_x2_stride_3: i32,
  part_0_x3_stride_0: i32,
  part_0_x3_stride_1: i32,
  part_0_x3_stride_2: i32,
  part_0_x3_stride_3: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_2: i32,
  part_1_x1_stride_3: i32,
  part_1_x2_stride_0: i32,
  part_1_x2_stride_1: i32,
  part_1_x2_stride_2: i32,
  part_1_x2_stride_3: i32,
  part_1_x3_stride_0: i32,
  part_1_x3_stride_1: i32,
  part_1_x3_stride_2: i32,
  part_1_x3_stride_3: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
  part_2_extent_0: i32,
  part_2_extent_1: i32,
  part_2_extent_2: i32,
  part_2_extent_3: i32,
  part_2_x0_stride_0: i32,
  part_2_x0_stride_1: i32,
  part_2_x0_stride_2: i32,
  part_2_x0_stride_3: i32,
  part_2_x1_stride_0: i32,
  part_2_x1_stride_1: i32,
  part_2_x1_stride_2: i32,
  part_2_x1_stride_3: i32,
  part_2_x2_stride_0: i32,
  part_2_x2_stride_1: i32,
  part_2_x2_stride_2: i32,
  part_2_x2_stride_3: i32,
  part_2_x3_stride_0: i32,
  part_2_x3_stride_1: i32,
  part_2_x3_stride_2: i32,
  part_2_x3_stride_3: i32,
  part_2_result_stride_0: i32,
  part_2_result_stride_1: i32,
  part_2_result_stride_2: i32,
  part_2_result_stride_3: i32,
  part_3_extent_0: i32,
  part_3_extent_1: i32,
  part_3_extent_2: i32,
  part_3_extent_3: i32,
  part_3_x0_stride_0: i32,
  part_3_x0_stride_1: i32,
  part_3_x0_stride_2: i32,
  part_3_x0_stride_3: i32,
  part_3_x1_stride_0: i32,
  part_3_x1_stride_1: i32,
  part_3_x1_stride_2: i32,
  part_3_x1_stride_3: i32,
  part_3_x2_stride_0: i32,
  part_3_x2_stride_1: i32,
  part_3_x2_stride_2: i32,
  part_3_x2_stride_3: i32,
  part_3_x3_stride_0: i32,
  part_3_x3_stride_1: i32,
  part_3_x3_stride_2: i32,
  part_3_x3_stride_3: i32,
  part_3_result_stride_0: i32,
  part_3_result_stride_1: i32,
  part_3_result_stride_2: i32,
  part_3_result_stride_3: i32,
  part_4_extent_0: i32,
  part_4_extent_1: i32,
  part_4_extent_2: i32,
  part_4_extent_3: i32,
  part_4_x0_stride_0: i32,
  part_4_x0_stride_1: i32,
  part_4_x0_stride_2: i32,
  part_4_x0_stride_3: i32,
  part_4_result_stride_0: i32,
  part_4_result_stride_1: i32,
  part_4_result_stride_2: i32,
  part_4_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_0_result_part_1_result_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> part_2_result_part_3_result_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> part_4_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2 + index_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 * sizes.part_0_x1_stride_2 + index_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_0_x2_offset + index_0 * sizes.part_0_x2_stride_0 + index_1 * sizes.part_0_x2_stride_1 + index_2 * sizes.part_0_x2_stride_2 + index_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_0_x3_offset + index_0 * sizes.part_0_x3_stride_0 + index_1 * sizes.part_0_x3_stride_1 + index_2 * sizes.part_0_x3_stride_2 + index_3]));
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2 + index_3_2] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 * sizes.part_1_x1_stride_1 + index_2_2 * sizes.part_1_x1_stride_2 + index_3_2]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_1_x2_offset + index_0_2 * sizes.part_1_x2_stride_0 + index_1_2 * sizes.part_1_x2_stride_1 + index_2_2 * sizes.part_1_x2_stride_2 + index_3_2] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_1_x3_offset + index_0_2 * sizes.part_1_x3_stride_0 + index_1_2 * sizes.part_1_x3_stride_1 + index_2_2 * sizes.part_1_x3_stride_2 + index_3_2]));
    }
  }
  let part_2_end: i32 = part_1_end + (sizes.part_2_extent_0 * sizes.part_2_extent_1 * sizes.part_2_extent_2 * sizes.part_2_extent_3 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    let element_3: i32 = (item - part_1_end) * 64 + thread;
    let index_3_3: i32 = element_3 % sizes.part_2_extent_3;
    let rest_7: i32 = element_3 / sizes.part_2_extent_3;
    let index_2_3: i32 = rest_7 % sizes.part_2_extent_2;
    let rest_8: i32 = rest_7 / sizes.part_2_extent_2;
    let index_1_3: i32 = rest_8 % sizes.part_2_extent_1;
    let rest_9: i32 = rest_8 / sizes.part_2_extent_1;
    let index_0_3: i32 = rest_9;
    if (index_0_3 < sizes.part_2_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_2_result_offset + index_0_3 * sizes.part_2_result_stride_0 + index_1_3 * sizes.part_2_result_stride_1 + index_2_3 * sizes.part_2_result_stride_2 + index_3_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_2_x0_offset + index_0_3 * sizes.part_2_x0_stride_0 + index_1_3 * sizes.part_2_x0_stride_1 + index_2_3 * sizes.part_2_x0_stride_2 + index_3_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_2_x1_offset + index_0_3 * sizes.part_2_x1_stride_0 + index_1_3 * sizes.part_2_x1_stride_1 + index_2_3 * sizes.part_2_x1_stride_2 + index_3_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_2_x2_offset + index_0_3 * sizes.part_2_x2_stride_0 + index_1_3 * sizes.part_2_x2_stride_1 + index_2_3 * sizes.part_2_x2_stride_2 + index_3_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_2_x3_offset + index_0_3 * sizes.part_2_x3_stride_0 + index_1_3 * sizes.part_2_x3_stride_1 + index_2_3 * sizes.part_2_x3_stride_2 + index_3_3]));
    }
  }
  let part_3_end: i32 = part_2_end + (sizes.part_3_extent_0 * sizes.part_3_extent_1 * sizes.part_3_extent_2 * sizes.part_3_extent_3 + 63) / 64;
  if (item >= part_2_end && item < part_3_end) {
    let element_4: i32 = (item - part_2_end) * 64 + thread;
    let index_3_4: i32 = element_4 % sizes.part_3_extent_3;
    let rest_10: i32 = element_4 / sizes.part_3_extent_3;
    let index_2_4: i32 = rest_10 % sizes.part_3_extent_2;
    let rest_11: i32 = rest_10 / sizes.part_3_extent_2;
    let index_1_4: i32 = rest_11 % sizes.part_3_extent_1;
    let rest_12: i32 = rest_11 / sizes.part_3_extent_1;
    let index_0_4: i32 = rest_12;
    if (index_0_4 < sizes.part_3_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_3_result_offset + index_0_4 * sizes.part_3_result_stride_0 + index_1_4 * sizes.part_3_result_stride_1 + index_2_4 * sizes.part_3_result_stride_2 + index_3_4] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_3_x0_offset + index_0_4 * sizes.part_3_x0_stride_0 + index_1_4 * sizes.part_3_x0_stride_1 + index_2_4 * sizes.part_3_x0_stride_2 + index_3_4] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_3_x1_offset + index_0_4 * sizes.part_3_x1_stride_0 + index_1_4 * sizes.part_3_x1_stride_1 + index_2_4 * sizes.part_3_x1_stride_2 + index_3_4]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_3_x2_offset + index_0_4 * sizes.part_3_x2_stride_0 + index_1_4 * sizes.part_3_x2_stride_1 + index_2_4 * sizes.part_3_x2_stride_2 + index_3_4] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_3_x3_offset + index_0_4 * sizes.part_3_x3_stride_0 + index_1_4 * sizes.part_3_x3_stride_1 + index_2_4 * sizes.part_3_x3_stride_2 + index_3_4]));
    }
  }
  let part_4_end: i32 = part_3_end + (sizes.part_4_extent_0 * sizes.part_4_extent_1 * sizes.part_4_extent_2 * sizes.part_4_extent_3 + 63) / 64;
  if (item >= part_3_end && item < part_4_end) {
    let element_5: i32 = (item - part_3_end) * 64 + thread;
    let index_3_5: i32 = element_5 % sizes.part_4_extent_3;
    let rest_13: i32 = element_5 / sizes.part_4_extent_3;
    let index_2_5: i32 = rest_13 % sizes.part_4_extent_2;
    let rest_14: i32 = rest_13 / sizes.part_4_extent_2;
    let index_1_5: i32 = rest_14 % sizes.part_4_extent_1;
    let rest_15: i32 = rest_14 / sizes.part_4_extent_1;
    let index_0_5: i32 = rest_15;
    if (index_0_5 < sizes.part_4_extent_0) {
      part_4_result_buffer[sizes.part_4_result_offset + index_0_5 * sizes.part_4_result_stride_0 + index_1_5 * sizes.part_4_result_stride_1 + index_2_5 * sizes.part_4_result_stride_2 + index_3_5] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_4_x0_offset + index_0_5 * sizes.part_4_x0_stride_0 + index_1_5 * sizes.part_4_x0_stride_1 + index_2_5 * sizes.part_4_x0_stride_2 + index_3_5];
    }
  }
}

// === kernel attention_keys_causal ===
// attention_keys_causal
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  key_offset: i32,
  value_offset: i32,
  result_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  keys: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> key_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> value_buffer: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<vec4<f32>>;

var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> staged_queries: array<vec4<f32>, 72>;
var<workgroup> staged_keys: array<vec4<f32>, 264>;
var<workgroup> lane_values: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 15) / 16);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 16;
  let rows: i32 = min(16, sizes.queries - first_query);
  let row_group: i32 = thread / 16;
  let lane: i32 = thread % 16;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment of keys
  let first_stand: i32 = first_query + sizes.keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let end_key: i32 = min(sizes.keys, first_stand + rows);
  let key_start: i32 = batch * sizes.key_batch + key_head * sizes.key_head;
  let value_start: i32 = batch * sizes.value_batch + key_head * sizes.value_head;
  for (var tile: i32 = 0; tile < end_key; tile += 64) {
    let count: i32 = min(64, end_key - tile);
    var score_0: vec4<f32> = vec4<f32>();
    var score_1: vec4<f32> = vec4<f32>();
    var score_2: vec4<f32> = vec4<f32>();
    var score_3: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 32; slot += 64) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 18 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 128; slot += 64) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = key_start + (tile + min(row_2, count - 1)) * sizes.key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = key_buffer[(sizes.key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 3];
        let key_2: vec4<f32> = staged_keys[part_3 * 66 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
        let key_3: vec4<f32> = staged_keys[part_3 * 66 + lane + 16];
        score_1 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
        let key_4: vec4<f32> = staged_keys[part_3 * 66 + lane + 32];
        score_2 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
        let key_5: vec4<f32> = staged_keys[part_3 * 66 + lane + 48];
        score_3 += vec4<f32>(dot(query_0, key_5), dot(query_1, key_5), dot(query_2, key_5), dot(query_3, key_5));
      }
    }
    let key_6: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    let seen: bool = lane < count;
    score_0 = vec4<f32>(select((-9.999999680285692e+37), score_0.x, seen & (key_6 <= own_stand)), select((-9.999999680285692e+37), score_0.y, seen & (key_6 <= own_stand + 1)), select((-9.999999680285692e+37), score_0.z, seen & (key_6 <= own_stand + 2)), select((-9.999999680285692e+37), score_0.w, seen & (key_6 <= own_stand + 3)));
    let key_7: i32 = tile + (lane + 16);
    score_1 = score_1 * 0.3535533845424652;
    let seen_2: bool = (lane + 16) < count;
    score_1 = vec4<f32>(select((-9.999999680285692e+37), score_1.x, seen_2 & (key_7 <= own_stand)), select((-9.999999680285692e+37), score_1.y, seen_2 & (key_7 <= own_stand + 1)), select((-9.999999680285692e+37), score_1.z, seen_2 & (key_7 <= own_stand + 2)), select((-9.999999680285692e+37), score_1.w, seen_2 & (key_7 <= own_stand + 3)));
    let key_8: i32 = tile + (lane + 32);
    score_2 = score_2 * 0.3535533845424652;
    let seen_3: bool = (lane + 32) < count;
    score_2 = vec4<f32>(select((-9.999999680285692e+37), score_2.x, seen_3 & (key_8 <= own_stand)), select((-9.999999680285692e+37), score_2.y, seen_3 & (key_8 <= own_stand + 1)), select((-9.999999680285692e+37), score_2.z, seen_3 & (key_8 <= own_stand + 2)), select((-9.999999680285692e+37), score_2.w, seen_3 & (key_8 <= own_stand + 3)));
    let key_9: i32 = tile + (lane + 48);
    score_3 = score_3 * 0.3535533845424652;
    let seen_4: bool = (lane + 48) < count;
    score_3 = vec4<f32>(select((-9.999999680285692e+37), score_3.x, seen_4 & (key_9 <= own_stand)), select((-9.999999680285692e+37), score_3.y, seen_4 & (key_9 <= own_stand + 1)), select((-9.999999680285692e+37), score_3.z, seen_4 & (key_9 <= own_stand + 2)), select((-9.999999680285692e+37), score_3.w, seen_4 & (key_9 <= own_stand + 3)));
    var tile_maximum: vec4<f32> = max(max(max(score_0, score_1), score_2), score_3);
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 64 + lane] = weight;
    let weight_2: vec4<f32> = exp(score_1 - maximum);
    total += weight_2;
    weights[row_group * 64 + (lane + 16)] = weight_2;
    let weight_3: vec4<f32> = exp(score_2 - maximum);
    total += weight_3;
    weights[row_group * 64 + (lane + 32)] = weight_3;
    let weight_4: vec4<f32> = exp(score_3 - maximum);
    total += weight_4;
    weights[row_group * 64 + (lane + 48)] = weight_4;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 8) {
      let weight_5: vec4<f32> = weights[row_group * 64 + number];
      let from_4: i32 = value_start + (tile + number) * sizes.value_row;
      let value_0: vec4<f32> = value_buffer[(sizes.value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_5.x * value_0;
      sum_1_0 += weight_5.y * value_0;
      sum_2_0 += weight_5.z * value_0;
      sum_3_0 += weight_5.w * value_0;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_2: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_2];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_2 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total.x, row_total.x > 0.0), select(0.0, 1.0 / row_total.y, row_total.y > 0.0), select(0.0, 1.0 / row_total.z, row_total.z > 0.0), select(0.0, 1.0 / row_total.w, row_total.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
  }
}

// === kernel evict ===
// evict
// Of the atoms and the leaving tokens of one key/value head a workgroup, the 16 of the largest scores stay.

struct Sizes {
  items: i32,
  key_offset: i32,
  value_offset: i32,
  score_offset: i32,
  position_offset: i32,
  key_heads: i32,
  rows: i32,
  atoms_before: i32,
  leaving: i32,
  staying: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> key_value_score_position_buffer: array<u32>;
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let first_row: i32 = item * sizes.rows;
  let stays: i32 = item * 48;
  let list: i32 = stays + 32;
  let candidates: i32 = sizes.atoms_before + sizes.leaving;
  // where no token leaves, nothing changes
  if (sizes.leaving > 0) {
    // a candidate stays where fewer than `atoms` others are better; ties to the earlier
    for (var candidate: i32 = thread; candidate < candidates; candidate += 256) {
      let own: f32 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + first_row + select(20 + candidate - sizes.atoms_before, candidate, candidate < sizes.atoms_before)]);
      var better: i32 = i32();
      for (var other: i32 = 0; other < candidates; other += 1) {
        let score_2: f32 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + first_row + select(20 + other - sizes.atoms_before, other, other < sizes.atoms_before)]);
        better += select(0, 1, score_2 > own || (score_2 == own && other < candidate));
      }
      scratch[stays + candidate] = select(0.0, 1.0, better < 16);
    }
    storageBarrier();
    for (var candidate: i32 = thread; candidate < candidates; candidate += 256) {
      if (scratch[stays + candidate] > 0.0) {
        var place: f32 = f32();
        for (var other: i32 = 0; other < candidate; other += 1) {
          place += scratch[stays + other];
        }
        scratch[list + i32(place)] = f32(select(20 + candidate - sizes.atoms_before, candidate, candidate < sizes.atoms_before));
      }
    }
    storageBarrier();
    let kept: i32 = min(candidates, 16);
    let total: i32 = kept * 8;
    for (var run: i32 = 0; run < total; run += 1024) {
      let element: i32 = run + 0 + thread;
      var value_2: f32 = f32();
      if (element < total) {
        value_2 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + i32(scratch[list + (element / 8)])) * 8 + element % 8]);
      }
      let element_2: i32 = run + 256 + thread;
      var value_3: f32 = f32();
      if (element_2 < total) {
        value_3 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + i32(scratch[list + (element_2 / 8)])) * 8 + element_2 % 8]);
      }
      let element_3: i32 = run + 512 + thread;
      var value_4: f32 = f32();
      if (element_3 < total) {
        value_4 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + i32(scratch[list + (element_3 / 8)])) * 8 + element_3 % 8]);
      }
      let element_4: i32 = run + 768 + thread;
      var value_5: f32 = f32();
      if (element_4 < total) {
        value_5 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + i32(scratch[list + (element_4 / 8)])) * 8 + element_4 % 8]);
      }
      storageBarrier();
      if (element < total) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + (element / 8)) * 8 + element % 8] = bitcast<u32>(value_2);
      }
      if (element_2 < total) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + (element_2 / 8)) * 8 + element_2 % 8] = bitcast<u32>(value_3);
      }
      if (element_3 < total) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + (element_3 / 8)) * 8 + element_3 % 8] = bitcast<u32>(value_4);
      }
      if (element_4 < total) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + (element_4 / 8)) * 8 + element_4 % 8] = bitcast<u32>(value_5);
      }
      storageBarrier();
    }
    let total_2: i32 = sizes.staying * 8;
    for (var run: i32 = 0; run < total_2; run += 1024) {
      let element_5: i32 = run + 0 + thread;
      var value_6: f32 = f32();
      if (element_5 < total_2) {
        value_6 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + sizes.leaving + (element_5 / 8)) * 8 + element_5 % 8]);
      }
      let element_6: i32 = run + 256 + thread;
      var value_7: f32 = f32();
      if (element_6 < total_2) {
        value_7 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + sizes.leaving + (element_6 / 8)) * 8 + element_6 % 8]);
      }
      let element_7: i32 = run + 512 + thread;
      var value_8: f32 = f32();
      if (element_7 < total_2) {
        value_8 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + sizes.leaving + (element_7 / 8)) * 8 + element_7 % 8]);
      }
      let element_8: i32 = run + 768 + thread;
      var value_9: f32 = f32();
      if (element_8 < total_2) {
        value_9 = bitcast<f32>(key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + sizes.leaving + (element_8 / 8)) * 8 + element_8 % 8]);
      }
      storageBarrier();
      if (element_5 < total_2) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + (element_5 / 8)) * 8 + element_5 % 8] = bitcast<u32>(value_6);
      }
      if (element_6 < total_2) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + (element_6 / 8)) * 8 + element_6 % 8] = bitcast<u32>(value_7);
      }
      if (element_7 < total_2) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + (element_7 / 8)) * 8 + element_7 % 8] = bitcast<u32>(value_8);
      }
      if (element_8 < total_2) {
        key_value_score_position_buffer[sizes.key_offset + (first_row + 20 + (element_8 / 8)) * 8 + element_8 % 8] = bitcast<u32>(value_9);
      }
      storageBarrier();
    }
    let total_3: i32 = kept * 8;
    for (var run: i32 = 0; run < total_3; run += 1024) {
      let element_9: i32 = run + 0 + thread;
      var value_10: f32 = f32();
      if (element_9 < total_3) {
        value_10 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + i32(scratch[list + (element_9 / 8)])) * 8 + element_9 % 8]);
      }
      let element_10: i32 = run + 256 + thread;
      var value_11: f32 = f32();
      if (element_10 < total_3) {
        value_11 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + i32(scratch[list + (element_10 / 8)])) * 8 + element_10 % 8]);
      }
      let element_11: i32 = run + 512 + thread;
      var value_12: f32 = f32();
      if (element_11 < total_3) {
        value_12 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + i32(scratch[list + (element_11 / 8)])) * 8 + element_11 % 8]);
      }
      let element_12: i32 = run + 768 + thread;
      var value_13: f32 = f32();
      if (element_12 < total_3) {
        value_13 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + i32(scratch[list + (element_12 / 8)])) * 8 + element_12 % 8]);
      }
      storageBarrier();
      if (element_9 < total_3) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + (element_9 / 8)) * 8 + element_9 % 8] = bitcast<u32>(value_10);
      }
      if (element_10 < total_3) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + (element_10 / 8)) * 8 + element_10 % 8] = bitcast<u32>(value_11);
      }
      if (element_11 < total_3) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + (element_11 / 8)) * 8 + element_11 % 8] = bitcast<u32>(value_12);
      }
      if (element_12 < total_3) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + (element_12 / 8)) * 8 + element_12 % 8] = bitcast<u32>(value_13);
      }
      storageBarrier();
    }
    let total_4: i32 = sizes.staying * 8;
    for (var run: i32 = 0; run < total_4; run += 1024) {
      let element_13: i32 = run + 0 + thread;
      var value_14: f32 = f32();
      if (element_13 < total_4) {
        value_14 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + sizes.leaving + (element_13 / 8)) * 8 + element_13 % 8]);
      }
      let element_14: i32 = run + 256 + thread;
      var value_15: f32 = f32();
      if (element_14 < total_4) {
        value_15 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + sizes.leaving + (element_14 / 8)) * 8 + element_14 % 8]);
      }
      let element_15: i32 = run + 512 + thread;
      var value_16: f32 = f32();
      if (element_15 < total_4) {
        value_16 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + sizes.leaving + (element_15 / 8)) * 8 + element_15 % 8]);
      }
      let element_16: i32 = run + 768 + thread;
      var value_17: f32 = f32();
      if (element_16 < total_4) {
        value_17 = bitcast<f32>(key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + sizes.leaving + (element_16 / 8)) * 8 + element_16 % 8]);
      }
      storageBarrier();
      if (element_13 < total_4) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + (element_13 / 8)) * 8 + element_13 % 8] = bitcast<u32>(value_14);
      }
      if (element_14 < total_4) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + (element_14 / 8)) * 8 + element_14 % 8] = bitcast<u32>(value_15);
      }
      if (element_15 < total_4) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + (element_15 / 8)) * 8 + element_15 % 8] = bitcast<u32>(value_16);
      }
      if (element_16 < total_4) {
        key_value_score_position_buffer[sizes.value_offset + (first_row + 20 + (element_16 / 8)) * 8 + element_16 % 8] = bitcast<u32>(value_17);
      }
      storageBarrier();
    }
    let total_5: i32 = kept * 1;
    for (var run: i32 = 0; run < total_5; run += 1024) {
      let element_17: i32 = run + 0 + thread;
      var value_18: f32 = f32();
      if (element_17 < total_5) {
        value_18 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + i32(scratch[list + (element_17 / 1)])) * 1 + element_17 % 1]);
      }
      let element_18: i32 = run + 256 + thread;
      var value_19: f32 = f32();
      if (element_18 < total_5) {
        value_19 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + i32(scratch[list + (element_18 / 1)])) * 1 + element_18 % 1]);
      }
      let element_19: i32 = run + 512 + thread;
      var value_20: f32 = f32();
      if (element_19 < total_5) {
        value_20 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + i32(scratch[list + (element_19 / 1)])) * 1 + element_19 % 1]);
      }
      let element_20: i32 = run + 768 + thread;
      var value_21: f32 = f32();
      if (element_20 < total_5) {
        value_21 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + i32(scratch[list + (element_20 / 1)])) * 1 + element_20 % 1]);
      }
      storageBarrier();
      if (element_17 < total_5) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + (element_17 / 1)) * 1 + element_17 % 1] = bitcast<u32>(value_18);
      }
      if (element_18 < total_5) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + (element_18 / 1)) * 1 + element_18 % 1] = bitcast<u32>(value_19);
      }
      if (element_19 < total_5) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + (element_19 / 1)) * 1 + element_19 % 1] = bitcast<u32>(value_20);
      }
      if (element_20 < total_5) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + (element_20 / 1)) * 1 + element_20 % 1] = bitcast<u32>(value_21);
      }
      storageBarrier();
    }
    let total_6: i32 = sizes.staying * 1;
    for (var run: i32 = 0; run < total_6; run += 1024) {
      let element_21: i32 = run + 0 + thread;
      var value_22: f32 = f32();
      if (element_21 < total_6) {
        value_22 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + sizes.leaving + (element_21 / 1)) * 1 + element_21 % 1]);
      }
      let element_22: i32 = run + 256 + thread;
      var value_23: f32 = f32();
      if (element_22 < total_6) {
        value_23 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + sizes.leaving + (element_22 / 1)) * 1 + element_22 % 1]);
      }
      let element_23: i32 = run + 512 + thread;
      var value_24: f32 = f32();
      if (element_23 < total_6) {
        value_24 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + sizes.leaving + (element_23 / 1)) * 1 + element_23 % 1]);
      }
      let element_24: i32 = run + 768 + thread;
      var value_25: f32 = f32();
      if (element_24 < total_6) {
        value_25 = bitcast<f32>(key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + sizes.leaving + (element_24 / 1)) * 1 + element_24 % 1]);
      }
      storageBarrier();
      if (element_21 < total_6) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + (element_21 / 1)) * 1 + element_21 % 1] = bitcast<u32>(value_22);
      }
      if (element_22 < total_6) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + (element_22 / 1)) * 1 + element_22 % 1] = bitcast<u32>(value_23);
      }
      if (element_23 < total_6) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + (element_23 / 1)) * 1 + element_23 % 1] = bitcast<u32>(value_24);
      }
      if (element_24 < total_6) {
        key_value_score_position_buffer[sizes.score_offset + (first_row + 20 + (element_24 / 1)) * 1 + element_24 % 1] = bitcast<u32>(value_25);
      }
      storageBarrier();
    }
    let total_7: i32 = kept * 1;
    for (var run: i32 = 0; run < total_7; run += 1024) {
      let element_25: i32 = run + 0 + thread;
      var value_26: i32 = i32();
      if (element_25 < total_7) {
        value_26 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + i32(scratch[list + (element_25 / 1)])) * 1 + element_25 % 1]);
      }
      let element_26: i32 = run + 256 + thread;
      var value_27: i32 = i32();
      if (element_26 < total_7) {
        value_27 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + i32(scratch[list + (element_26 / 1)])) * 1 + element_26 % 1]);
      }
      let element_27: i32 = run + 512 + thread;
      var value_28: i32 = i32();
      if (element_27 < total_7) {
        value_28 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + i32(scratch[list + (element_27 / 1)])) * 1 + element_27 % 1]);
      }
      let element_28: i32 = run + 768 + thread;
      var value_29: i32 = i32();
      if (element_28 < total_7) {
        value_29 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + i32(scratch[list + (element_28 / 1)])) * 1 + element_28 % 1]);
      }
      storageBarrier();
      if (element_25 < total_7) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + (element_25 / 1)) * 1 + element_25 % 1] = bitcast<u32>(value_26);
      }
      if (element_26 < total_7) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + (element_26 / 1)) * 1 + element_26 % 1] = bitcast<u32>(value_27);
      }
      if (element_27 < total_7) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + (element_27 / 1)) * 1 + element_27 % 1] = bitcast<u32>(value_28);
      }
      if (element_28 < total_7) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + (element_28 / 1)) * 1 + element_28 % 1] = bitcast<u32>(value_29);
      }
      storageBarrier();
    }
    let total_8: i32 = sizes.staying * 1;
    for (var run: i32 = 0; run < total_8; run += 1024) {
      let element_29: i32 = run + 0 + thread;
      var value_30: i32 = i32();
      if (element_29 < total_8) {
        value_30 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + sizes.leaving + (element_29 / 1)) * 1 + element_29 % 1]);
      }
      let element_30: i32 = run + 256 + thread;
      var value_31: i32 = i32();
      if (element_30 < total_8) {
        value_31 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + sizes.leaving + (element_30 / 1)) * 1 + element_30 % 1]);
      }
      let element_31: i32 = run + 512 + thread;
      var value_32: i32 = i32();
      if (element_31 < total_8) {
        value_32 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + sizes.leaving + (element_31 / 1)) * 1 + element_31 % 1]);
      }
      let element_32: i32 = run + 768 + thread;
      var value_33: i32 = i32();
      if (element_32 < total_8) {
        value_33 = bitcast<i32>(key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + sizes.leaving + (element_32 / 1)) * 1 + element_32 % 1]);
      }
      storageBarrier();
      if (element_29 < total_8) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + (element_29 / 1)) * 1 + element_29 % 1] = bitcast<u32>(value_30);
      }
      if (element_30 < total_8) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + (element_30 / 1)) * 1 + element_30 % 1] = bitcast<u32>(value_31);
      }
      if (element_31 < total_8) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + (element_31 / 1)) * 1 + element_31 % 1] = bitcast<u32>(value_32);
      }
      if (element_32 < total_8) {
        key_value_score_position_buffer[sizes.position_offset + (first_row + 20 + (element_32 / 1)) * 1 + element_32 % 1] = bitcast<u32>(value_33);
      }
      storageBarrier();
    }
  }
}

// === kernel maps_subtract_add_copy_2 ===
// maps_subtract_add_copy_2
// One element a thread, of one of 3 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_0_x2_offset: i32,
  part_0_x3_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_1_x2_offset: i32,
  part_1_x3_offset: i32,
  part_2_x0_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_2_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_3: i32,
  part_0_x2_stride_0: i32,
  part_0_x2_stride_1: i32,
  part_0_x2_stride_2: i32,
  part_0_x2_stride_3: i32,
  part_0_x3_stride_0: i32,
  part_0_x3_stride_1: i32,
  part_0_x3_stride_2: i32,
  part_0_x3_stride_3: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_2: i32,
  part_1_x1_stride_3: i32,
  part_1_x2_stride_0: i32,
  part_1_x2_stride_1: i32,
  part_1_x2_stride_2: i32,
  part_1_x2_stride_3: i32,
  part_1_x3_stride_0: i32,
  part_1_x3_stride_1: i32,
  part_1_x3_stride_2: i32,
  part_1_x3_stride_3: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
  part_2_extent_0: i32,
  part_2_extent_1: i32,
  part_2_extent_2: i32,
  part_2_extent_3: i32,
  part_2_x0_stride_0: i32,
  part_2_x0_stride_1: i32,
  part_2_x0_stride_2: i32,
  part_2_x0_stride_3: i32,
  part_2_result_stride_0: i32,
  part_2_result_stride_1: i32,
  part_2_result_stride_2: i32,
  part_2_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> part_0_x1_part_1_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_0_x3_part_1_x3_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_0_result_part_1_result_part_2_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_part_1_result_part_2_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2 + index_3] * part_0_x1_part_1_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 * sizes.part_0_x1_stride_2 + index_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer[sizes.part_0_x2_offset + index_0 * sizes.part_0_x2_stride_0 + index_1 * sizes.part_0_x2_stride_1 + index_2 * sizes.part_0_x2_stride_2 + index_3] * part_0_x3_part_1_x3_buffer[sizes.part_0_x3_offset + index_0 * sizes.part_0_x3_stride_0 + index_1 * sizes.part_0_x3_stride_1 + index_2 * sizes.part_0_x3_stride_2 + index_3]));
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_0_result_part_1_result_part_2_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2 + index_3_2] * part_0_x1_part_1_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 * sizes.part_1_x1_stride_1 + index_2_2 * sizes.part_1_x1_stride_2 + index_3_2]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer[sizes.part_1_x2_offset + index_0_2 * sizes.part_1_x2_stride_0 + index_1_2 * sizes.part_1_x2_stride_1 + index_2_2 * sizes.part_1_x2_stride_2 + index_3_2] * part_0_x3_part_1_x3_buffer[sizes.part_1_x3_offset + index_0_2 * sizes.part_1_x3_stride_0 + index_1_2 * sizes.part_1_x3_stride_1 + index_2_2 * sizes.part_1_x3_stride_2 + index_3_2]));
    }
  }
  let part_2_end: i32 = part_1_end + (sizes.part_2_extent_0 * sizes.part_2_extent_1 * sizes.part_2_extent_2 * sizes.part_2_extent_3 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    let element_3: i32 = (item - part_1_end) * 64 + thread;
    let index_3_3: i32 = element_3 % sizes.part_2_extent_3;
    let rest_7: i32 = element_3 / sizes.part_2_extent_3;
    let index_2_3: i32 = rest_7 % sizes.part_2_extent_2;
    let rest_8: i32 = rest_7 / sizes.part_2_extent_2;
    let index_1_3: i32 = rest_8 % sizes.part_2_extent_1;
    let rest_9: i32 = rest_8 / sizes.part_2_extent_1;
    let index_0_3: i32 = rest_9;
    if (index_0_3 < sizes.part_2_extent_0) {
      part_0_result_part_1_result_part_2_result_buffer[sizes.part_2_result_offset + index_0_3 * sizes.part_2_result_stride_0 + index_1_3 * sizes.part_2_result_stride_1 + index_2_3 * sizes.part_2_result_stride_2 + index_3_3] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_buffer[sizes.part_2_x0_offset + index_0_3 * sizes.part_2_x0_stride_0 + index_1_3 * sizes.part_2_x0_stride_1 + index_2_3 * sizes.part_2_x0_stride_2 + index_3_3];
    }
  }
}

// === kernel attention_keys_keys_causal ===
// attention_keys_keys_causal
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  segment_0_key_offset: i32,
  segment_0_value_offset: i32,
  segment_1_key_offset: i32,
  segment_1_value_offset: i32,
  result_offset: i32,
  log_sum_exp_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  log_sum_exp_batch: i32,
  log_sum_exp_head: i32,
  segment_0_keys: i32,
  segment_0_key_batch: i32,
  segment_0_key_head: i32,
  segment_0_key_row: i32,
  segment_0_value_batch: i32,
  segment_0_value_head: i32,
  segment_0_value_row: i32,
  segment_1_keys: i32,
  segment_1_key_batch: i32,
  segment_1_key_head: i32,
  segment_1_key_row: i32,
  segment_1_value_batch: i32,
  segment_1_value_head: i32,
  segment_1_value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result_log_sum_exp_buffer: array<f32>;

var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> staged_queries: array<vec4<f32>, 72>;
var<workgroup> staged_keys: array<vec4<f32>, 264>;
var<workgroup> lane_values: array<vec4<f32>, 64>;

fn float_of_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 15) / 16);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 16;
  let rows: i32 = min(16, sizes.queries - first_query);
  let row_group: i32 = thread / 16;
  let lane: i32 = thread % 16;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment 0: keys
  let first_stand: i32 = first_query + sizes.segment_0_keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let segment_0_key_start: i32 = batch * sizes.segment_0_key_batch + key_head * sizes.segment_0_key_head;
  let segment_0_value_start: i32 = batch * sizes.segment_0_value_batch + key_head * sizes.segment_0_value_head;
  for (var tile: i32 = 0; tile < sizes.segment_0_keys; tile += 64) {
    let count: i32 = min(64, sizes.segment_0_keys - tile);
    var score_0: vec4<f32> = vec4<f32>();
    var score_1: vec4<f32> = vec4<f32>();
    var score_2: vec4<f32> = vec4<f32>();
    var score_3: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 32; slot += 64) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 18 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 128; slot += 64) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = segment_0_key_start + (tile + min(row_2, count - 1)) * sizes.segment_0_key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_0_key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 3];
        let key: vec4<f32> = staged_keys[part_3 * 66 + lane];
        score_0 += vec4<f32>(dot(query_0, key), dot(query_1, key), dot(query_2, key), dot(query_3, key));
        let key_2: vec4<f32> = staged_keys[part_3 * 66 + lane + 16];
        score_1 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
        let key_3: vec4<f32> = staged_keys[part_3 * 66 + lane + 32];
        score_2 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
        let key_4: vec4<f32> = staged_keys[part_3 * 66 + lane + 48];
        score_3 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
      }
    }
    let key_5: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, lane < count);
    let key_6: i32 = tile + (lane + 16);
    score_1 = score_1 * 0.3535533845424652;
    score_1 = select(vec4<f32>((-9.999999680285692e+37)), score_1, (lane + 16) < count);
    let key_7: i32 = tile + (lane + 32);
    score_2 = score_2 * 0.3535533845424652;
    score_2 = select(vec4<f32>((-9.999999680285692e+37)), score_2, (lane + 32) < count);
    let key_8: i32 = tile + (lane + 48);
    score_3 = score_3 * 0.3535533845424652;
    score_3 = select(vec4<f32>((-9.999999680285692e+37)), score_3, (lane + 48) < count);
    var tile_maximum: vec4<f32> = max(max(max(score_0, score_1), score_2), score_3);
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 64 + lane] = weight;
    let weight_2: vec4<f32> = exp(score_1 - maximum);
    total += weight_2;
    weights[row_group * 64 + (lane + 16)] = weight_2;
    let weight_3: vec4<f32> = exp(score_2 - maximum);
    total += weight_3;
    weights[row_group * 64 + (lane + 32)] = weight_3;
    let weight_4: vec4<f32> = exp(score_3 - maximum);
    total += weight_4;
    weights[row_group * 64 + (lane + 48)] = weight_4;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 8) {
      let weight_5: vec4<f32> = weights[row_group * 64 + number];
      let from_4: i32 = segment_0_value_start + (tile + number) * sizes.segment_0_value_row;
      let value_0: vec4<f32> = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_0_value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_5.x * value_0;
      sum_1_0 += weight_5.y * value_0;
      sum_2_0 += weight_5.z * value_0;
      sum_3_0 += weight_5.w * value_0;
    }
  }
  // Segment 1: keys
  let first_stand_2: i32 = first_query + sizes.segment_1_keys - sizes.queries;
  let own_stand_2: i32 = first_stand_2 + row_group * 4;
  let end_key: i32 = min(sizes.segment_1_keys, first_stand_2 + rows);
  let segment_1_key_start: i32 = batch * sizes.segment_1_key_batch + key_head * sizes.segment_1_key_head;
  let segment_1_value_start: i32 = batch * sizes.segment_1_value_batch + key_head * sizes.segment_1_value_head;
  for (var tile: i32 = 0; tile < end_key; tile += 64) {
    let count_2: i32 = min(64, end_key - tile);
    var score_0_2: vec4<f32> = vec4<f32>();
    var score_1_2: vec4<f32> = vec4<f32>();
    var score_2_2: vec4<f32> = vec4<f32>();
    var score_3_2: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 32; slot += 64) {
        let row_3: i32 = slot / 2;
        let part_3: i32 = slot % 2;
        let from_5: i32 = query_start + (first_query + min(row_3, rows - 1)) * sizes.query_row;
        let own_column_3: i32 = column + part_3 * 4;
        staged_queries[part_3 * 18 + row_3] = query_buffer[(sizes.query_offset + from_5 + own_column_3) >> 2u];
      }
      for (var slot: i32 = thread; slot < 128; slot += 64) {
        let row_4: i32 = slot / 2;
        let part_4: i32 = slot % 2;
        let from_6: i32 = segment_1_key_start + (tile + min(row_4, count_2 - 1)) * sizes.segment_1_key_row;
        let own_column_4: i32 = column + part_4 * 4;
        staged_keys[part_4 * 66 + row_4] = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_1_key_offset + from_6 + own_column_4) >> 2u];
      }
      workgroupBarrier();
      for (var part_5: i32 = 0; part_5 < 2; part_5 += 1) {
        let query_0_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 0];
        let query_1_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 1];
        let query_2_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 2];
        let query_3_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 3];
        let key_9: vec4<f32> = staged_keys[part_5 * 66 + lane];
        score_0_2 += vec4<f32>(dot(query_0_2, key_9), dot(query_1_2, key_9), dot(query_2_2, key_9), dot(query_3_2, key_9));
        let key_10: vec4<f32> = staged_keys[part_5 * 66 + lane + 16];
        score_1_2 += vec4<f32>(dot(query_0_2, key_10), dot(query_1_2, key_10), dot(query_2_2, key_10), dot(query_3_2, key_10));
        let key_11: vec4<f32> = staged_keys[part_5 * 66 + lane + 32];
        score_2_2 += vec4<f32>(dot(query_0_2, key_11), dot(query_1_2, key_11), dot(query_2_2, key_11), dot(query_3_2, key_11));
        let key_12: vec4<f32> = staged_keys[part_5 * 66 + lane + 48];
        score_3_2 += vec4<f32>(dot(query_0_2, key_12), dot(query_1_2, key_12), dot(query_2_2, key_12), dot(query_3_2, key_12));
      }
    }
    let key_13: i32 = tile + lane;
    score_0_2 = score_0_2 * 0.3535533845424652;
    let seen: bool = lane < count_2;
    score_0_2 = vec4<f32>(select((-9.999999680285692e+37), score_0_2.x, seen & (key_13 <= own_stand_2)), select((-9.999999680285692e+37), score_0_2.y, seen & (key_13 <= own_stand_2 + 1)), select((-9.999999680285692e+37), score_0_2.z, seen & (key_13 <= own_stand_2 + 2)), select((-9.999999680285692e+37), score_0_2.w, seen & (key_13 <= own_stand_2 + 3)));
    let key_14: i32 = tile + (lane + 16);
    score_1_2 = score_1_2 * 0.3535533845424652;
    let seen_2: bool = (lane + 16) < count_2;
    score_1_2 = vec4<f32>(select((-9.999999680285692e+37), score_1_2.x, seen_2 & (key_14 <= own_stand_2)), select((-9.999999680285692e+37), score_1_2.y, seen_2 & (key_14 <= own_stand_2 + 1)), select((-9.999999680285692e+37), score_1_2.z, seen_2 & (key_14 <= own_stand_2 + 2)), select((-9.999999680285692e+37), score_1_2.w, seen_2 & (key_14 <= own_stand_2 + 3)));
    let key_15: i32 = tile + (lane + 32);
    score_2_2 = score_2_2 * 0.3535533845424652;
    let seen_3: bool = (lane + 32) < count_2;
    score_2_2 = vec4<f32>(select((-9.999999680285692e+37), score_2_2.x, seen_3 & (key_15 <= own_stand_2)), select((-9.999999680285692e+37), score_2_2.y, seen_3 & (key_15 <= own_stand_2 + 1)), select((-9.999999680285692e+37), score_2_2.z, seen_3 & (key_15 <= own_stand_2 + 2)), select((-9.999999680285692e+37), score_2_2.w, seen_3 & (key_15 <= own_stand_2 + 3)));
    let key_16: i32 = tile + (lane + 48);
    score_3_2 = score_3_2 * 0.3535533845424652;
    let seen_4: bool = (lane + 48) < count_2;
    score_3_2 = vec4<f32>(select((-9.999999680285692e+37), score_3_2.x, seen_4 & (key_16 <= own_stand_2)), select((-9.999999680285692e+37), score_3_2.y, seen_4 & (key_16 <= own_stand_2 + 1)), select((-9.999999680285692e+37), score_3_2.z, seen_4 & (key_16 <= own_stand_2 + 2)), select((-9.999999680285692e+37), score_3_2.w, seen_4 & (key_16 <= own_stand_2 + 3)));
    var tile_maximum_2: vec4<f32> = max(max(max(score_0_2, score_1_2), score_2_2), score_3_2);
    lane_values[thread] = tile_maximum_2;
    workgroupBarrier();
    let start_2: i32 = thread / 16 * 16;
    var group_maximum_2: vec4<f32> = lane_values[start_2];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum_2 = max(group_maximum_2, lane_values[start_2 + other]);
    }
    let raised_2: vec4<f32> = max(maximum, group_maximum_2);
    let factor_2: vec4<f32> = exp(maximum - raised_2);
    maximum = raised_2;
    total = total * factor_2;
    sum_0_0 = sum_0_0 * factor_2.x;
    sum_1_0 = sum_1_0 * factor_2.y;
    sum_2_0 = sum_2_0 * factor_2.z;
    sum_3_0 = sum_3_0 * factor_2.w;
    let weight_6: vec4<f32> = exp(score_0_2 - maximum);
    total += weight_6;
    weights[row_group * 64 + lane] = weight_6;
    let weight_7: vec4<f32> = exp(score_1_2 - maximum);
    total += weight_7;
    weights[row_group * 64 + (lane + 16)] = weight_7;
    let weight_8: vec4<f32> = exp(score_2_2 - maximum);
    total += weight_8;
    weights[row_group * 64 + (lane + 32)] = weight_8;
    let weight_9: vec4<f32> = exp(score_3_2 - maximum);
    total += weight_9;
    weights[row_group * 64 + (lane + 48)] = weight_9;
    workgroupBarrier();
    for (var number: i32 = split; number < count_2; number += 8) {
      let weight_10: vec4<f32> = weights[row_group * 64 + number];
      let from_7: i32 = segment_1_value_start + (tile + number) * sizes.segment_1_value_row;
      let value_0_2: vec4<f32> = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_1_value_offset + from_7 + column_lane * 4) >> 2u];
      sum_0_0 += weight_10.x * value_0_2;
      sum_1_0 += weight_10.y * value_0_2;
      sum_2_0 += weight_10.z * value_0_2;
      sum_3_0 += weight_10.w * value_0_2;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_3: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_3];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_3 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total.x, row_total.x > 0.0), select(0.0, 1.0 / row_total.y, row_total.y > 0.0), select(0.0, 1.0 / row_total.z, row_total.z > 0.0), select(0.0, 1.0 / row_total.w, row_total.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    let lanes: vec4<f32> = sum_0_0 * inverse.x;
    result_log_sum_exp_buffer[sizes.result_offset + place] = lanes.x;
    result_log_sum_exp_buffer[sizes.result_offset + place + 1] = lanes.y;
    result_log_sum_exp_buffer[sizes.result_offset + place + 2] = lanes.z;
    result_log_sum_exp_buffer[sizes.result_offset + place + 3] = lanes.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    let lanes_2: vec4<f32> = sum_1_0 * inverse.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_2] = lanes_2.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 1] = lanes_2.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 2] = lanes_2.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 3] = lanes_2.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    let lanes_3: vec4<f32> = sum_2_0 * inverse.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_3] = lanes_3.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 1] = lanes_3.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 2] = lanes_3.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 3] = lanes_3.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    let lanes_4: vec4<f32> = sum_3_0 * inverse.w;
    result_log_sum_exp_buffer[sizes.result_offset + place_4] = lanes_4.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 1] = lanes_4.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 2] = lanes_4.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 3] = lanes_4.w;
  }
  let log_sum_exp_start: i32 = batch * sizes.log_sum_exp_batch + head * sizes.log_sum_exp_head;
  if (lane == 0) {
    if (row_group * 4 + 0 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 0] = select(float_of_bits(0xff800000u), maximum.x + log(row_total.x), row_total.x > 0.0);
    }
    if (row_group * 4 + 1 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 1] = select(float_of_bits(0xff800000u), maximum.y + log(row_total.y), row_total.y > 0.0);
    }
    if (row_group * 4 + 2 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 2] = select(float_of_bits(0xff800000u), maximum.z + log(row_total.z), row_total.z > 0.0);
    }
    if (row_group * 4 + 3 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 3] = select(float_of_bits(0xff800000u), maximum.w + log(row_total.w), row_total.w > 0.0);
    }
  }
}

// === kernel score_keys ===
// score_keys
// What the queries paid to 64 keys of one key/value head a workgroup.

struct Sizes {
  items: i32,
  query_offset: i32,
  log_sum_exp_offset: i32,
  key_offset: i32,
  score_offset: i32,
  position_offset: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_head: i32,
  query_row: i32,
  log_sum_exp_head: i32,
  rows: i32,
  atoms_used: i32,
  exact: i32,
  start: i32,
  begins_block: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> log_sum_exp_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> key_score_position_buffer: array<u32>;

var<workgroup> query_tile: array<vec4<f32>, 32>;
var<workgroup> log_sum_exps: array<f32, 16>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.rows + 63) / 64);
  let key_head: i32 = item / tiles;
  let first: i32 = item % tiles * 64;
  let row: i32 = first + thread;
  let end: i32 = 16 + sizes.exact;
  let first_new: i32 = end - sizes.queries;
  let is_used: bool = row < sizes.atoms_used || (row >= 16 && row < end);
  let heads_per_key_head: i32 = sizes.heads / sizes.key_heads;
  let query_rows: i32 = heads_per_key_head * sizes.queries;
  // a tile between the atoms in use and the exact rows, or after them, has nothing to do
  if (first < sizes.atoms_used || (first + 64 > 16 && first < end)) {
    let key_row: i32 = (key_head * sizes.rows + min(row, sizes.rows - 1)) * 8;
    var sum: f32 = f32();
    for (var first_query: i32 = 0; first_query < query_rows; first_query += 16) {
      let queries_left: i32 = query_rows - first_query;
      for (var slot: i32 = thread; slot < 32; slot += 64) {
        let tile_row: i32 = slot / 2;
        var tile_part: vec4<f32> = vec4<f32>();
        if (tile_row < queries_left) {
          tile_part = query_buffer[(sizes.query_offset + (key_head * heads_per_key_head + (first_query + tile_row) / sizes.queries) * sizes.query_head + ((first_query + tile_row) % sizes.queries) * sizes.query_row + (slot % 2) * 4) >> 2u];
        }
        query_tile[slot] = tile_part;
      }
      if (thread < min(queries_left, 16)) {
        log_sum_exps[thread] = log_sum_exp_buffer[sizes.log_sum_exp_offset + (key_head * heads_per_key_head + (first_query + thread) / sizes.queries) * sizes.log_sum_exp_head + ((first_query + thread) % sizes.queries)];
      }
      workgroupBarrier();
      if (is_used) {
        var product: f32 = f32();
        var product_2: f32 = f32();
        var product_3: f32 = f32();
        var product_4: f32 = f32();
        var product_5: f32 = f32();
        var product_6: f32 = f32();
        var product_7: f32 = f32();
        var product_8: f32 = f32();
        var product_9: f32 = f32();
        var product_10: f32 = f32();
        var product_11: f32 = f32();
        var product_12: f32 = f32();
        var product_13: f32 = f32();
        var product_14: f32 = f32();
        var product_15: f32 = f32();
        var product_16: f32 = f32();
        for (var part: i32 = 0; part < 2; part += 1) {
          let own: vec4<f32> = vec4<f32>(bitcast<f32>(key_score_position_buffer[sizes.key_offset + key_row + part * 4]), bitcast<f32>(key_score_position_buffer[sizes.key_offset + key_row + part * 4 + 1]), bitcast<f32>(key_score_position_buffer[sizes.key_offset + key_row + part * 4 + 2]), bitcast<f32>(key_score_position_buffer[sizes.key_offset + key_row + part * 4 + 3]));
          product += dot(own, query_tile[0 + part]);
          product_2 += dot(own, query_tile[2 + part]);
          product_3 += dot(own, query_tile[4 + part]);
          product_4 += dot(own, query_tile[6 + part]);
          product_5 += dot(own, query_tile[8 + part]);
          product_6 += dot(own, query_tile[10 + part]);
          product_7 += dot(own, query_tile[12 + part]);
          product_8 += dot(own, query_tile[14 + part]);
          product_9 += dot(own, query_tile[16 + part]);
          product_10 += dot(own, query_tile[18 + part]);
          product_11 += dot(own, query_tile[20 + part]);
          product_12 += dot(own, query_tile[22 + part]);
          product_13 += dot(own, query_tile[24 + part]);
          product_14 += dot(own, query_tile[26 + part]);
          product_15 += dot(own, query_tile[28 + part]);
          product_16 += dot(own, query_tile[30 + part]);
        }
        // query 0 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product * 0.3535533845424652 - log_sum_exps[0], 0 < queries_left && row <= first_new + (first_query + 0) % sizes.queries));
        // query 1 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_2 * 0.3535533845424652 - log_sum_exps[1], 1 < queries_left && row <= first_new + (first_query + 1) % sizes.queries));
        // query 2 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_3 * 0.3535533845424652 - log_sum_exps[2], 2 < queries_left && row <= first_new + (first_query + 2) % sizes.queries));
        // query 3 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_4 * 0.3535533845424652 - log_sum_exps[3], 3 < queries_left && row <= first_new + (first_query + 3) % sizes.queries));
        // query 4 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_5 * 0.3535533845424652 - log_sum_exps[4], 4 < queries_left && row <= first_new + (first_query + 4) % sizes.queries));
        // query 5 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_6 * 0.3535533845424652 - log_sum_exps[5], 5 < queries_left && row <= first_new + (first_query + 5) % sizes.queries));
        // query 6 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_7 * 0.3535533845424652 - log_sum_exps[6], 6 < queries_left && row <= first_new + (first_query + 6) % sizes.queries));
        // query 7 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_8 * 0.3535533845424652 - log_sum_exps[7], 7 < queries_left && row <= first_new + (first_query + 7) % sizes.queries));
        // query 8 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_9 * 0.3535533845424652 - log_sum_exps[8], 8 < queries_left && row <= first_new + (first_query + 8) % sizes.queries));
        // query 9 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_10 * 0.3535533845424652 - log_sum_exps[9], 9 < queries_left && row <= first_new + (first_query + 9) % sizes.queries));
        // query 10 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_11 * 0.3535533845424652 - log_sum_exps[10], 10 < queries_left && row <= first_new + (first_query + 10) % sizes.queries));
        // query 11 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_12 * 0.3535533845424652 - log_sum_exps[11], 11 < queries_left && row <= first_new + (first_query + 11) % sizes.queries));
        // query 12 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_13 * 0.3535533845424652 - log_sum_exps[12], 12 < queries_left && row <= first_new + (first_query + 12) % sizes.queries));
        // query 13 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_14 * 0.3535533845424652 - log_sum_exps[13], 13 < queries_left && row <= first_new + (first_query + 13) % sizes.queries));
        // query 14 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_15 * 0.3535533845424652 - log_sum_exps[14], 14 < queries_left && row <= first_new + (first_query + 14) % sizes.queries));
        // query 15 sees the atoms, and the exact rows up to its own
        sum += exp(select((-10000.0), product_16 * 0.3535533845424652 - log_sum_exps[15], 15 < queries_left && row <= first_new + (first_query + 15) % sizes.queries));
      }
      workgroupBarrier();
    }
    if (is_used) {
      let place: i32 = key_head * sizes.rows + row;
      var before: f32 = f32();
      if (row >= first_new) {
        key_score_position_buffer[sizes.position_offset + place] = bitcast<u32>(sizes.start + row - first_new);
      } else {
        before = select(1.0, 0.8500000238418579, sizes.begins_block != 0) * bitcast<f32>(key_score_position_buffer[sizes.score_offset + place]);
      }
      key_score_position_buffer[sizes.score_offset + place] = bitcast<u32>(before + sum);
    }
  }
}

// === kernel gemm_residual ===
// gemm_residual
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  residual_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
  residual_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> residual_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 160>;
var<workgroup> right_tile: array<vec4<f32>, 320>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 16) {
    for (var run: i32 = thread; run < 128; run += 128) {
      let tile_row: i32 = run / 4;
      let within: i32 = run % 4 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 5 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row_2: i32 = run / 4;
      let within_2: i32 = run % 4 * 4;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let start_2: i32 = row_2 * sizes.depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes.right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 4; quad += 1) {
      let left_at: i32 = thread_row * 5 + quad;
      let right_at: i32 = thread_column * 5 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 80];
      let right_2: vec4<f32> = right_tile[right_at + 160];
      let right_3: vec4<f32> = right_tile[right_at + 240];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column];
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_2];
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_3];
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_4];
    }
  }
}

// === kernel map_silu_multiply ===
// map_silu_multiply
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  x1_stride_2: i32,
  result_stride_0: i32,
  result_stride_1: i32,
  result_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_x1_buffer: array<f32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<f32>;

fn silu_f32(x: f32) -> f32 {
  return x / (1.0 + exp(-x));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_2: i32 = element % sizes.extent_2;
  let rest: i32 = element / sizes.extent_2;
  let index_1: i32 = rest % sizes.extent_1;
  let rest_2: i32 = rest / sizes.extent_1;
  let index_0: i32 = rest_2;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1 * sizes.result_stride_1 + index_2] = (silu_f32(x0_x1_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + index_2]) * x0_x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0 + index_1 * sizes.x1_stride_1 + index_2]);
  }
}

// === kernel maps_copy ===
// maps_copy
// One element a thread, of one of 2 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_1_x0_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> part_1_x0_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> part_0_result_part_1_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = part_0_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2 + index_3];
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = part_1_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2 + index_3_2];
    }
  }
}

// === kernel gemm_residual_2 ===
// gemm_residual_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// 8 columns a workgroup, 32 threads side by side share the depth of each.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  residual_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
  residual_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> residual_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged_values: array<f32, 256>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 0) / 1);
  let first_row: i32 = item % row_tiles * 1;
  let first_column: i32 = item / row_tiles * 8 + thread / 32 * 4;
  let share: i32 = thread % 32;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  let row_0: i32 = min(first_row + 0, sizes.rows - 1);
  let column_0: i32 = min(first_column + 0, sizes.columns - 1);
  let column_1: i32 = min(first_column + 1, sizes.columns - 1);
  let column_2: i32 = min(first_column + 2, sizes.columns - 1);
  let column_3: i32 = min(first_column + 3, sizes.columns - 1);
  for (var place: i32 = share * 4; place < sizes.depth; place += 128) {
    let start: i32 = column_0 * sizes.depth + place;
    let start_2: i32 = column_1 * sizes.depth + place;
    let start_3: i32 = column_2 * sizes.depth + place;
    let start_4: i32 = column_3 * sizes.depth + place;
    let start_5: i32 = row_0 * sizes.left_stride + place;
    let left_0: vec4<f32> = left_buffer[(sizes.left_offset + start_5) >> 2u];
    let right_0: vec4<f32> = right_buffer[(sizes.right_offset + start) >> 2u];
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    let right_1: vec4<f32> = right_buffer[(sizes.right_offset + start_2) >> 2u];
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    let right_2: vec4<f32> = right_buffer[(sizes.right_offset + start_3) >> 2u];
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    let right_3: vec4<f32> = right_buffer[(sizes.right_offset + start_4) >> 2u];
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
  }
  var mask: i32 = 1;
  while (mask < 32) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[64 + thread] = sum_0_1;
    exchanged_values[128 + thread] = sum_0_2;
    exchanged_values[192 + thread] = sum_0_3;
    workgroupBarrier();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[64 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[128 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[192 + (thread ^ mask)];
    workgroupBarrier();
    mask = mask * 2;
  }
  let column: i32 = first_column + 0;
  if (share == 0 && column < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column] = sum_0_0 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column];
    }
  }
  let column_4: i32 = first_column + 1;
  if (share == 1 && column_4 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_4] = sum_0_1 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_4];
    }
  }
  let column_5: i32 = first_column + 2;
  if (share == 2 && column_5 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_5] = sum_0_2 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_5];
    }
  }
  let column_6: i32 = first_column + 3;
  if (share == 3 && column_6 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_6] = sum_0_3 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_6];
    }
  }
}

// === kernel gemm_2 ===
// gemm_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// 8 columns a workgroup, 32 threads side by side share the depth of each.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged_values: array<f32, 256>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 0) / 1);
  let first_row: i32 = item % row_tiles * 1;
  let first_column: i32 = item / row_tiles * 8 + thread / 32 * 4;
  let share: i32 = thread % 32;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  let row_0: i32 = min(first_row + 0, sizes.rows - 1);
  let column_0: i32 = min(first_column + 0, sizes.columns - 1);
  let column_1: i32 = min(first_column + 1, sizes.columns - 1);
  let column_2: i32 = min(first_column + 2, sizes.columns - 1);
  let column_3: i32 = min(first_column + 3, sizes.columns - 1);
  for (var place: i32 = share * 4; place < sizes.depth; place += 128) {
    let start: i32 = column_0 * sizes.depth + place;
    let start_2: i32 = column_1 * sizes.depth + place;
    let start_3: i32 = column_2 * sizes.depth + place;
    let start_4: i32 = column_3 * sizes.depth + place;
    let start_5: i32 = row_0 * sizes.left_stride + place;
    let left_0: vec4<f32> = left_buffer[(sizes.left_offset + start_5) >> 2u];
    let right_0: vec4<f32> = right_buffer[(sizes.right_offset + start) >> 2u];
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    let right_1: vec4<f32> = right_buffer[(sizes.right_offset + start_2) >> 2u];
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    let right_2: vec4<f32> = right_buffer[(sizes.right_offset + start_3) >> 2u];
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    let right_3: vec4<f32> = right_buffer[(sizes.right_offset + start_4) >> 2u];
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
  }
  var mask: i32 = 1;
  while (mask < 32) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[64 + thread] = sum_0_1;
    exchanged_values[128 + thread] = sum_0_2;
    exchanged_values[192 + thread] = sum_0_3;
    workgroupBarrier();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[64 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[128 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[192 + (thread ^ mask)];
    workgroupBarrier();
    mask = mask * 2;
  }
  let column: i32 = first_column + 0;
  if (share == 0 && column < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column] = sum_0_0;
    }
  }
  let column_4: i32 = first_column + 1;
  if (share == 1 && column_4 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_4] = sum_0_1;
    }
  }
  let column_5: i32 = first_column + 2;
  if (share == 2 && column_5 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_5] = sum_0_2;
    }
  }
  let column_6: i32 = first_column + 3;
  if (share == 3 && column_6 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_6] = sum_0_3;
    }
  }
}

// === kernel maps_subtract_add_copy_3 ===
// maps_subtract_add_copy_3
// One element a thread, of one of 8 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_0_x2_offset: i32,
  part_0_x3_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_1_x2_offset: i32,
  part_1_x3_offset: i32,
  part_2_x0_offset: i32,
  part_2_x1_offset: i32,
  part_2_x2_offset: i32,
  part_2_x3_offset: i32,
  part_3_x0_offset: i32,
  part_3_x1_offset: i32,
  part_3_x2_offset: i32,
  part_3_x3_offset: i32,
  part_4_x0_offset: i32,
  part_5_x0_offset: i32,
  part_5_x1_offset: i32,
  part_5_x2_offset: i32,
  part_5_x3_offset: i32,
  part_6_x0_offset: i32,
  part_6_x1_offset: i32,
  part_6_x2_offset: i32,
  part_6_x3_offset: i32,
  part_7_x0_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_2_result_offset: i32,
  part_3_result_offset: i32,
  part_4_result_offset: i32,
  part_5_result_offset: i32,
  part_6_result_offset: i32,
  part_7_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_3: i32,
  part_0_x2_stride_0: i32,
  part_0_x2_stride_1: i32,
  part_0_x2_stride_2: i32,
  part_0_x2_stride_3: i32,
  part_0_x3_stride_0: i32,
  part_0_x3_stride_1: i32,
  part_0_x3_stride_2: i32,
  part_0_x3_stride_3: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_2: i32,
  part_1_x1_stride_3: i32,
  part_1_x2_stride_0: i32,
  part_1_x2_stride_1: i32,
  part_1_x2_stride_2: i32,
  part_1_x2_stride_3: i32,
  part_1_x3_stride_0: i32,
  part_1_x3_stride_1: i32,
  part_1_x3_stride_2: i32,
  part_1_x3_stride_3: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
  part_2_extent_0: i32,
  part_2_extent_1: i32,
  part_2_extent_2: i32,
  part_2_extent_3: i32,
  part_2_x0_stride_0: i32,
  part_2_x0_stride_1: i32,
  part_2_x0_stride_2: i32,
  part_2_x0_stride_3: i32,
  part_2_x1_stride_0: i32,
  part_2_x1_stride_1: i32,
  part_2_x1_stride_2: i32,
  part_2_x1_stride_3: i32,
  part_2_x2_stride_0: i32,
  part_2_x2_stride_1: i32,
  part_2_x2_stride_2: i32,
  part_2_x2_stride_3: i32,
  part_2_x3_stride_0: i32,
  part_2_x3_stride_1: i32,
  part_2_x3_stride_2: i32,
  part_2_x3_stride_3: i32,
  part_2_result_stride_0: i32,
  part_2_result_stride_1: i32,
  part_2_result_stride_2: i32,
  part_2_result_stride_3: i32,
  part_3_extent_0: i32,
  part_3_extent_1: i32,
  part_3_extent_2: i32,
  part_3_extent_3: i32,
  part_3_x0_stride_0: i32,
  part_3_x0_stride_1: i32,
  part_3_x0_stride_2: i32,
  part_3_x0_stride_3: i32,
  part_3_x1_stride_0: i32,
  part_3_x1_stride_1: i32,
  part_3_x1_stride_2: i32,
  part_3_x1_stride_3: i32,
  part_3_x2_stride_0: i32,
  part_3_x2_stride_1: i32,
  part_3_x2_stride_2: i32,
  part_3_x2_stride_3: i32,
  part_3_x3_stride_0: i32,
  part_3_x3_stride_1: i32,
  part_3_x3_stride_2: i32,
  part_3_x3_stride_3: i32,
  part_3_result_stride_0: i32,
  part_3_result_stride_1: i32,
  part_3_result_stride_2: i32,
  part_3_result_stride_3: i32,
  part_4_extent_0: i32,
  part_4_extent_1: i32,
  part_4_extent_2: i32,
  part_4_extent_3: i32,
  part_4_x0_stride_0: i32,
  part_4_x0_stride_1: i32,
  part_4_x0_stride_2: i32,
  part_4_x0_stride_3: i32,
  part_4_result_stride_0: i32,
  part_4_result_stride_1: i32,
  part_4_result_stride_2: i32,
  part_4_result_stride_3: i32,
  part_5_extent_0: i32,
  part_5_extent_1: i32,
  part_5_extent_2: i32,
  part_5_extent_3: i32,
  part_5_x0_stride_0: i32,
  part_5_x0_stride_1: i32,
  part_5_x0_stride_2: i32,
  part_5_x0_stride_3: i32,
  part_5_x1_stride_0: i32,
  part_5_x1_stride_1: i32,
  part_5_x1_stride_2: i32,
  part_5_x1_stride_3: i32,
  part_5_x2_stride_0: i32,
  part_5_x2_stride_1: i32,
  part_5_x2_stride_2: i32,
  part_5_x2_stride_3: i32,
  part_5_x3_stride_0: i32,
  part_5_x3_stride_1: i32,
  part_5_x3_stride_2: i32,
  part_5_x3_stride_3: i32,
  part_5_result_stride_0: i32,
  part_5_result_stride_1: i32,
  part_5_result_stride_2: i32,
  part_5_result_stride_3: i32,
  part_6_extent_0: i32,
  part_6_extent_1: i32,
  part_6_extent_2: i32,
  part_6_extent_3: i32,
  part_6_x0_stride_0: i32,
  part_6_x0_stride_1: i32,
  part_6_x0_stride_2: i32,
  part_6_x0_stride_3: i32,
  part_6_x1_stride_0: i32,
  part_6_x1_stride_1: i32,
  part_6_x1_stride_2: i32,
  part_6_x1_stride_3: i32,
  part_6_x2_stride_0: i32,
  part_6_x2_stride_1: i32,
  part_6_x2_stride_2: i32,
  part_6_x2_stride_3: i32,
  part_6_x3_stride_0: i32,
  part_6_x3_stride_1: i32,
  part_6_x3_stride_2: i32,
  part_6_x3_stride_3: i32,
  part_6_result_stride_0: i32,
  part_6_result_stride_1: i32,
  part_6_result_stride_2: i32,
  part_6_result_stride_3: i32,
  part_7_extent_0: i32,
  part_7_extent_1: i32,
  part_7_extent_2: i32,
  part_7_extent_3: i32,
  part_7_x0_stride_0: i32,
  part_7_x0_stride_1: i32,
  part_7_x0_stride_2: i32,
  part_7_x0_stride_3: i32,
  part_7_result_stride_0: i32,
  part_7_result_stride_1: i32,
  part_7_result_stride_2: i32,
  part_7_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_0_result_part_1_result_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> part_2_result_part_3_result_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> part_4_result_buffer: array<f32>;
@group(0) @binding(7) var<storage, read_write> part_5_result_part_6_result_part_7_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2 + index_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 * sizes.part_0_x1_stride_2 + index_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_0_x2_offset + index_0 * sizes.part_0_x2_stride_0 + index_1 * sizes.part_0_x2_stride_1 + index_2 * sizes.part_0_x2_stride_2 + index_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_0_x3_offset + index_0 * sizes.part_0_x3_stride_0 + index_1 * sizes.part_0_x3_stride_1 + index_2 * sizes.part_0_x3_stride_2 + index_3]));
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2 + index_3_2] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 * sizes.part_1_x1_stride_1 + index_2_2 * sizes.part_1_x1_stride_2 + index_3_2]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_1_x2_offset + index_0_2 * sizes.part_1_x2_stride_0 + index_1_2 * sizes.part_1_x2_stride_1 + index_2_2 * sizes.part_1_x2_stride_2 + index_3_2] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_1_x3_offset + index_0_2 * sizes.part_1_x3_stride_0 + index_1_2 * sizes.part_1_x3_stride_1 + index_2_2 * sizes.part_1_x3_stride_2 + index_3_2]));
    }
  }
  let part_2_end: i32 = part_1_end + (sizes.part_2_extent_0 * sizes.part_2_extent_1 * sizes.part_2_extent_2 * sizes.part_2_extent_3 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    let element_3: i32 = (item - part_1_end) * 64 + thread;
    let index_3_3: i32 = element_3 % sizes.part_2_extent_3;
    let rest_7: i32 = element_3 / sizes.part_2_extent_3;
    let index_2_3: i32 = rest_7 % sizes.part_2_extent_2;
    let rest_8: i32 = rest_7 / sizes.part_2_extent_2;
    let index_1_3: i32 = rest_8 % sizes.part_2_extent_1;
    let rest_9: i32 = rest_8 / sizes.part_2_extent_1;
    let index_0_3: i32 = rest_9;
    if (index_0_3 < sizes.part_2_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_2_result_offset + index_0_3 * sizes.part_2_result_stride_0 + index_1_3 * sizes.part_2_result_stride_1 + index_2_3 * sizes.part_2_result_stride_2 + index_3_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_2_x0_offset + index_0_3 * sizes.part_2_x0_stride_0 + index_1_3 * sizes.part_2_x0_stride_1 + index_2_3 * sizes.part_2_x0_stride_2 + index_3_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_2_x1_offset + index_0_3 * sizes.part_2_x1_stride_0 + index_1_3 * sizes.part_2_x1_stride_1 + index_2_3 * sizes.part_2_x1_stride_2 + index_3_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_2_x2_offset + index_0_3 * sizes.part_2_x2_stride_0 + index_1_3 * sizes.part_2_x2_stride_1 + index_2_3 * sizes.part_2_x2_stride_2 + index_3_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_2_x3_offset + index_0_3 * sizes.part_2_x3_stride_0 + index_1_3 * sizes.part_2_x3_stride_1 + index_2_3 * sizes.part_2_x3_stride_2 + index_3_3]));
    }
  }
  let part_3_end: i32 = part_2_end + (sizes.part_3_extent_0 * sizes.part_3_extent_1 * sizes.part_3_extent_2 * sizes.part_3_extent_3 + 63) / 64;
  if (item >= part_2_end && item < part_3_end) {
    let element_4: i32 = (item - part_2_end) * 64 + thread;
    let index_3_4: i32 = element_4 % sizes.part_3_extent_3;
    let rest_10: i32 = element_4 / sizes.part_3_extent_3;
    let index_2_4: i32 = rest_10 % sizes.part_3_extent_2;
    let rest_11: i32 = rest_10 / sizes.part_3_extent_2;
    let index_1_4: i32 = rest_11 % sizes.part_3_extent_1;
    let rest_12: i32 = rest_11 / sizes.part_3_extent_1;
    let index_0_4: i32 = rest_12;
    if (index_0_4 < sizes.part_3_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_3_result_offset + index_0_4 * sizes.part_3_result_stride_0 + index_1_4 * sizes.part_3_result_stride_1 + index_2_4 * sizes.part_3_result_stride_2 + index_3_4] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_3_x0_offset + index_0_4 * sizes.part_3_x0_stride_0 + index_1_4 * sizes.part_3_x0_stride_1 + index_2_4 * sizes.part_3_x0_stride_2 + index_3_4] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_3_x1_offset + index_0_4 * sizes.part_3_x1_stride_0 + index_1_4 * sizes.part_3_x1_stride_1 + index_2_4 * sizes.part_3_x1_stride_2 + index_3_4]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_3_x2_offset + index_0_4 * sizes.part_3_x2_stride_0 + index_1_4 * sizes.part_3_x2_stride_1 + index_2_4 * sizes.part_3_x2_stride_2 + index_3_4] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_3_x3_offset + index_0_4 * sizes.part_3_x3_stride_0 + index_1_4 * sizes.part_3_x3_stride_1 + index_2_4 * sizes.part_3_x3_stride_2 + index_3_4]));
    }
  }
  let part_4_end: i32 = part_3_end + (sizes.part_4_extent_0 * sizes.part_4_extent_1 * sizes.part_4_extent_2 * sizes.part_4_extent_3 + 63) / 64;
  if (item >= part_3_end && item < part_4_end) {
    let element_5: i32 = (item - part_3_end) * 64 + thread;
    let index_3_5: i32 = element_5 % sizes.part_4_extent_3;
    let rest_13: i32 = element_5 / sizes.part_4_extent_3;
    let index_2_5: i32 = rest_13 % sizes.part_4_extent_2;
    let rest_14: i32 = rest_13 / sizes.part_4_extent_2;
    let index_1_5: i32 = rest_14 % sizes.part_4_extent_1;
    let rest_15: i32 = rest_14 / sizes.part_4_extent_1;
    let index_0_5: i32 = rest_15;
    if (index_0_5 < sizes.part_4_extent_0) {
      part_4_result_buffer[sizes.part_4_result_offset + index_0_5 * sizes.part_4_result_stride_0 + index_1_5 * sizes.part_4_result_stride_1 + index_2_5 * sizes.part_4_result_stride_2 + index_3_5] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_4_x0_offset + index_0_5 * sizes.part_4_x0_stride_0 + index_1_5 * sizes.part_4_x0_stride_1 + index_2_5 * sizes.part_4_x0_stride_2 + index_3_5];
    }
  }
  let part_5_end: i32 = part_4_end + (sizes.part_5_extent_0 * sizes.part_5_extent_1 * sizes.part_5_extent_2 * sizes.part_5_extent_3 + 63) / 64;
  if (item >= part_4_end && item < part_5_end) {
    let element_6: i32 = (item - part_4_end) * 64 + thread;
    let index_3_6: i32 = element_6 % sizes.part_5_extent_3;
    let rest_16: i32 = element_6 / sizes.part_5_extent_3;
    let index_2_6: i32 = rest_16 % sizes.part_5_extent_2;
    let rest_17: i32 = rest_16 / sizes.part_5_extent_2;
    let index_1_6: i32 = rest_17 % sizes.part_5_extent_1;
    let rest_18: i32 = rest_17 / sizes.part_5_extent_1;
    let index_0_6: i32 = rest_18;
    if (index_0_6 < sizes.part_5_extent_0) {
      part_5_result_part_6_result_part_7_result_buffer[sizes.part_5_result_offset + index_0_6 * sizes.part_5_result_stride_0 + index_1_6 * sizes.part_5_result_stride_1 + index_2_6 * sizes.part_5_result_stride_2 + index_3_6] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_5_x0_offset + index_0_6 * sizes.part_5_x0_stride_0 + index_1_6 * sizes.part_5_x0_stride_1 + index_2_6 * sizes.part_5_x0_stride_2 + index_3_6] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_5_x1_offset + index_0_6 * sizes.part_5_x1_stride_0 + index_1_6 * sizes.part_5_x1_stride_1 + index_2_6 * sizes.part_5_x1_stride_2 + index_3_6]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_5_x2_offset + index_0_6 * sizes.part_5_x2_stride_0 + index_1_6 * sizes.part_5_x2_stride_1 + index_2_6 * sizes.part_5_x2_stride_2 + index_3_6] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_5_x3_offset + index_0_6 * sizes.part_5_x3_stride_0 + index_1_6 * sizes.part_5_x3_stride_1 + index_2_6 * sizes.part_5_x3_stride_2 + index_3_6]));
    }
  }
  let part_6_end: i32 = part_5_end + (sizes.part_6_extent_0 * sizes.part_6_extent_1 * sizes.part_6_extent_2 * sizes.part_6_extent_3 + 63) / 64;
  if (item >= part_5_end && item < part_6_end) {
    let element_7: i32 = (item - part_5_end) * 64 + thread;
    let index_3_7: i32 = element_7 % sizes.part_6_extent_3;
    let rest_19: i32 = element_7 / sizes.part_6_extent_3;
    let index_2_7: i32 = rest_19 % sizes.part_6_extent_2;
    let rest_20: i32 = rest_19 / sizes.part_6_extent_2;
    let index_1_7: i32 = rest_20 % sizes.part_6_extent_1;
    let rest_21: i32 = rest_20 / sizes.part_6_extent_1;
    let index_0_7: i32 = rest_21;
    if (index_0_7 < sizes.part_6_extent_0) {
      part_5_result_part_6_result_part_7_result_buffer[sizes.part_6_result_offset + index_0_7 * sizes.part_6_result_stride_0 + index_1_7 * sizes.part_6_result_stride_1 + index_2_7 * sizes.part_6_result_stride_2 + index_3_7] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_6_x0_offset + index_0_7 * sizes.part_6_x0_stride_0 + index_1_7 * sizes.part_6_x0_stride_1 + index_2_7 * sizes.part_6_x0_stride_2 + index_3_7] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_part_5_x1_part_6_x1_buffer[sizes.part_6_x1_offset + index_0_7 * sizes.part_6_x1_stride_0 + index_1_7 * sizes.part_6_x1_stride_1 + index_2_7 * sizes.part_6_x1_stride_2 + index_3_7]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_6_x2_offset + index_0_7 * sizes.part_6_x2_stride_0 + index_1_7 * sizes.part_6_x2_stride_1 + index_2_7 * sizes.part_6_x2_stride_2 + index_3_7] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_part_5_x3_part_6_x3_buffer[sizes.part_6_x3_offset + index_0_7 * sizes.part_6_x3_stride_0 + index_1_7 * sizes.part_6_x3_stride_1 + index_2_7 * sizes.part_6_x3_stride_2 + index_3_7]));
    }
  }
  let part_7_end: i32 = part_6_end + (sizes.part_7_extent_0 * sizes.part_7_extent_1 * sizes.part_7_extent_2 * sizes.part_7_extent_3 + 63) / 64;
  if (item >= part_6_end && item < part_7_end) {
    let element_8: i32 = (item - part_6_end) * 64 + thread;
    let index_3_8: i32 = element_8 % sizes.part_7_extent_3;
    let rest_22: i32 = element_8 / sizes.part_7_extent_3;
    let index_2_8: i32 = rest_22 % sizes.part_7_extent_2;
    let rest_23: i32 = rest_22 / sizes.part_7_extent_2;
    let index_1_8: i32 = rest_23 % sizes.part_7_extent_1;
    let rest_24: i32 = rest_23 / sizes.part_7_extent_1;
    let index_0_8: i32 = rest_24;
    if (index_0_8 < sizes.part_7_extent_0) {
      part_5_result_part_6_result_part_7_result_buffer[sizes.part_7_result_offset + index_0_8 * sizes.part_7_result_stride_0 + index_1_8 * sizes.part_7_result_stride_1 + index_2_8 * sizes.part_7_result_stride_2 + index_3_8] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_part_5_x0_part_5_x2_part_6_x0_part_6_x2_part_7_x0_buffer[sizes.part_7_x0_offset + index_0_8 * sizes.part_7_x0_stride_0 + index_1_8 * sizes.part_7_x0_stride_1 + index_2_8 * sizes.part_7_x0_stride_2 + index_3_8];
    }
  }
}

// === kernel attention_keys ===
// attention_keys
// Attention of 4 queries of one head a workgroup, 128 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  key_offset: i32,
  value_offset: i32,
  result_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  keys: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> key_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> value_buffer: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<vec4<f32>>;

var<workgroup> weights: array<vec4<f32>, 128>;
var<workgroup> staged_queries: array<vec4<f32>, 24>;
var<workgroup> staged_keys: array<vec4<f32>, 520>;
var<workgroup> lane_values: array<vec4<f32>, 128>;
var<workgroup> block_values: array<vec4<f32>, 8>;

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 3) / 4);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 4;
  let rows: i32 = min(4, sizes.queries - first_query);
  let row_group: i32 = thread / 128;
  let lane: i32 = thread % 128;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment of keys
  let first_stand: i32 = first_query + sizes.keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let key_start: i32 = batch * sizes.key_batch + key_head * sizes.key_head;
  let value_start: i32 = batch * sizes.value_batch + key_head * sizes.value_head;
  for (var tile: i32 = 0; tile < sizes.keys; tile += 128) {
    let count: i32 = min(128, sizes.keys - tile);
    var score_0: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 8; slot += 128) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 6 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 256; slot += 128) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = key_start + (tile + min(row_2, count - 1)) * sizes.key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 130 + row_2] = key_buffer[(sizes.key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 3];
        let key_2: vec4<f32> = staged_keys[part_3 * 130 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
      }
    }
    let key_3: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, lane < count);
    var tile_maximum: vec4<f32> = score_0;
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    if (thread % 16 == 0) {
      block_values[thread / 16] = group_maximum;
    }
    workgroupBarrier();
    let start_2: i32 = thread / 128 * 8;
    var group_maximum_2: vec4<f32> = block_values[start_2];
    for (var other: i32 = 1; other < 8; other += 1) {
      group_maximum_2 = max(group_maximum_2, block_values[start_2 + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum_2);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 128 + lane] = weight;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 64) {
      let weight_2: vec4<f32> = weights[row_group * 128 + number];
      let from_4: i32 = value_start + (tile + number) * sizes.value_row;
      let value_0: vec4<f32> = value_buffer[(sizes.value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_2.x * value_0;
      sum_1_0 += weight_2.y * value_0;
      sum_2_0 += weight_2.z * value_0;
      sum_3_0 += weight_2.w * value_0;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_3: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_3];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_3 + other];
  }
  if (thread % 16 == 0) {
    block_values[thread / 16] = row_total;
  }
  workgroupBarrier();
  let start_4: i32 = thread / 128 * 8;
  var row_total_2: vec4<f32> = block_values[start_4];
  for (var other: i32 = 1; other < 8; other += 1) {
    row_total_2 = row_total_2 + block_values[start_4 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total_2.x, row_total_2.x > 0.0), select(0.0, 1.0 / row_total_2.y, row_total_2.y > 0.0), select(0.0, 1.0 / row_total_2.z, row_total_2.z > 0.0), select(0.0, 1.0 / row_total_2.w, row_total_2.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
  }
}

// === kernel attention_keys_keys ===
// attention_keys_keys
// Attention of 4 queries of one head a workgroup, 128 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  segment_0_key_offset: i32,
  segment_0_value_offset: i32,
  segment_1_key_offset: i32,
  segment_1_value_offset: i32,
  result_offset: i32,
  log_sum_exp_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  log_sum_exp_batch: i32,
  log_sum_exp_head: i32,
  segment_0_keys: i32,
  segment_0_key_batch: i32,
  segment_0_key_head: i32,
  segment_0_key_row: i32,
  segment_0_value_batch: i32,
  segment_0_value_head: i32,
  segment_0_value_row: i32,
  segment_1_keys: i32,
  segment_1_key_batch: i32,
  segment_1_key_head: i32,
  segment_1_key_row: i32,
  segment_1_value_batch: i32,
  segment_1_value_head: i32,
  segment_1_value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result_log_sum_exp_buffer: array<f32>;

var<workgroup> weights: array<vec4<f32>, 128>;
var<workgroup> staged_queries: array<vec4<f32>, 24>;
var<workgroup> staged_keys: array<vec4<f32>, 520>;
var<workgroup> lane_values: array<vec4<f32>, 128>;
var<workgroup> block_values: array<vec4<f32>, 8>;

fn float_of_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 3) / 4);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 4;
  let rows: i32 = min(4, sizes.queries - first_query);
  let row_group: i32 = thread / 128;
  let lane: i32 = thread % 128;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment 0: keys
  let first_stand: i32 = first_query + sizes.segment_0_keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let segment_0_key_start: i32 = batch * sizes.segment_0_key_batch + key_head * sizes.segment_0_key_head;
  let segment_0_value_start: i32 = batch * sizes.segment_0_value_batch + key_head * sizes.segment_0_value_head;
  for (var tile: i32 = 0; tile < sizes.segment_0_keys; tile += 128) {
    let count: i32 = min(128, sizes.segment_0_keys - tile);
    var score_0: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 8; slot += 128) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 6 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 256; slot += 128) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = segment_0_key_start + (tile + min(row_2, count - 1)) * sizes.segment_0_key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 130 + row_2] = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_0_key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 3];
        let key: vec4<f32> = staged_keys[part_3 * 130 + lane];
        score_0 += vec4<f32>(dot(query_0, key), dot(query_1, key), dot(query_2, key), dot(query_3, key));
      }
    }
    let key_2: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, lane < count);
    var tile_maximum: vec4<f32> = score_0;
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    if (thread % 16 == 0) {
      block_values[thread / 16] = group_maximum;
    }
    workgroupBarrier();
    let start_2: i32 = thread / 128 * 8;
    var group_maximum_2: vec4<f32> = block_values[start_2];
    for (var other: i32 = 1; other < 8; other += 1) {
      group_maximum_2 = max(group_maximum_2, block_values[start_2 + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum_2);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 128 + lane] = weight;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 64) {
      let weight_2: vec4<f32> = weights[row_group * 128 + number];
      let from_4: i32 = segment_0_value_start + (tile + number) * sizes.segment_0_value_row;
      let value_0: vec4<f32> = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_0_value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_2.x * value_0;
      sum_1_0 += weight_2.y * value_0;
      sum_2_0 += weight_2.z * value_0;
      sum_3_0 += weight_2.w * value_0;
    }
  }
  // Segment 1: keys
  let first_stand_2: i32 = first_query + sizes.segment_1_keys - sizes.queries;
  let own_stand_2: i32 = first_stand_2 + row_group * 4;
  let segment_1_key_start: i32 = batch * sizes.segment_1_key_batch + key_head * sizes.segment_1_key_head;
  let segment_1_value_start: i32 = batch * sizes.segment_1_value_batch + key_head * sizes.segment_1_value_head;
  for (var tile: i32 = 0; tile < sizes.segment_1_keys; tile += 128) {
    let count_2: i32 = min(128, sizes.segment_1_keys - tile);
    var score_0_2: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 8; slot += 128) {
        let row_3: i32 = slot / 2;
        let part_3: i32 = slot % 2;
        let from_5: i32 = query_start + (first_query + min(row_3, rows - 1)) * sizes.query_row;
        let own_column_3: i32 = column + part_3 * 4;
        staged_queries[part_3 * 6 + row_3] = query_buffer[(sizes.query_offset + from_5 + own_column_3) >> 2u];
      }
      for (var slot: i32 = thread; slot < 256; slot += 128) {
        let row_4: i32 = slot / 2;
        let part_4: i32 = slot % 2;
        let from_6: i32 = segment_1_key_start + (tile + min(row_4, count_2 - 1)) * sizes.segment_1_key_row;
        let own_column_4: i32 = column + part_4 * 4;
        staged_keys[part_4 * 130 + row_4] = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_1_key_offset + from_6 + own_column_4) >> 2u];
      }
      workgroupBarrier();
      for (var part_5: i32 = 0; part_5 < 2; part_5 += 1) {
        let query_0_2: vec4<f32> = staged_queries[part_5 * 6 + row_group * 4 + 0];
        let query_1_2: vec4<f32> = staged_queries[part_5 * 6 + row_group * 4 + 1];
        let query_2_2: vec4<f32> = staged_queries[part_5 * 6 + row_group * 4 + 2];
        let query_3_2: vec4<f32> = staged_queries[part_5 * 6 + row_group * 4 + 3];
        let key_3: vec4<f32> = staged_keys[part_5 * 130 + lane];
        score_0_2 += vec4<f32>(dot(query_0_2, key_3), dot(query_1_2, key_3), dot(query_2_2, key_3), dot(query_3_2, key_3));
      }
    }
    let key_4: i32 = tile + lane;
    score_0_2 = score_0_2 * 0.3535533845424652;
    score_0_2 = select(vec4<f32>((-9.999999680285692e+37)), score_0_2, lane < count_2);
    var tile_maximum_2: vec4<f32> = score_0_2;
    lane_values[thread] = tile_maximum_2;
    workgroupBarrier();
    let start_3: i32 = thread / 16 * 16;
    var group_maximum_3: vec4<f32> = lane_values[start_3];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum_3 = max(group_maximum_3, lane_values[start_3 + other]);
    }
    if (thread % 16 == 0) {
      block_values[thread / 16] = group_maximum_3;
    }
    workgroupBarrier();
    let start_4: i32 = thread / 128 * 8;
    var group_maximum_4: vec4<f32> = block_values[start_4];
    for (var other: i32 = 1; other < 8; other += 1) {
      group_maximum_4 = max(group_maximum_4, block_values[start_4 + other]);
    }
    let raised_2: vec4<f32> = max(maximum, group_maximum_4);
    let factor_2: vec4<f32> = exp(maximum - raised_2);
    maximum = raised_2;
    total = total * factor_2;
    sum_0_0 = sum_0_0 * factor_2.x;
    sum_1_0 = sum_1_0 * factor_2.y;
    sum_2_0 = sum_2_0 * factor_2.z;
    sum_3_0 = sum_3_0 * factor_2.w;
    let weight_3: vec4<f32> = exp(score_0_2 - maximum);
    total += weight_3;
    weights[row_group * 128 + lane] = weight_3;
    workgroupBarrier();
    for (var number: i32 = split; number < count_2; number += 64) {
      let weight_4: vec4<f32> = weights[row_group * 128 + number];
      let from_7: i32 = segment_1_value_start + (tile + number) * sizes.segment_1_value_row;
      let value_0_2: vec4<f32> = segment_0_key_segment_0_value_segment_1_key_segment_1_value_buffer[(sizes.segment_1_value_offset + from_7 + column_lane * 4) >> 2u];
      sum_0_0 += weight_4.x * value_0_2;
      sum_1_0 += weight_4.y * value_0_2;
      sum_2_0 += weight_4.z * value_0_2;
      sum_3_0 += weight_4.w * value_0_2;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_5: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_5];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_5 + other];
  }
  if (thread % 16 == 0) {
    block_values[thread / 16] = row_total;
  }
  workgroupBarrier();
  let start_6: i32 = thread / 128 * 8;
  var row_total_2: vec4<f32> = block_values[start_6];
  for (var other: i32 = 1; other < 8; other += 1) {
    row_total_2 = row_total_2 + block_values[start_6 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total_2.x, row_total_2.x > 0.0), select(0.0, 1.0 / row_total_2.y, row_total_2.y > 0.0), select(0.0, 1.0 / row_total_2.z, row_total_2.z > 0.0), select(0.0, 1.0 / row_total_2.w, row_total_2.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    let lanes: vec4<f32> = sum_0_0 * inverse.x;
    result_log_sum_exp_buffer[sizes.result_offset + place] = lanes.x;
    result_log_sum_exp_buffer[sizes.result_offset + place + 1] = lanes.y;
    result_log_sum_exp_buffer[sizes.result_offset + place + 2] = lanes.z;
    result_log_sum_exp_buffer[sizes.result_offset + place + 3] = lanes.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    let lanes_2: vec4<f32> = sum_1_0 * inverse.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_2] = lanes_2.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 1] = lanes_2.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 2] = lanes_2.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_2 + 3] = lanes_2.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    let lanes_3: vec4<f32> = sum_2_0 * inverse.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_3] = lanes_3.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 1] = lanes_3.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 2] = lanes_3.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_3 + 3] = lanes_3.w;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    let lanes_4: vec4<f32> = sum_3_0 * inverse.w;
    result_log_sum_exp_buffer[sizes.result_offset + place_4] = lanes_4.x;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 1] = lanes_4.y;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 2] = lanes_4.z;
    result_log_sum_exp_buffer[sizes.result_offset + place_4 + 3] = lanes_4.w;
  }
  let log_sum_exp_start: i32 = batch * sizes.log_sum_exp_batch + head * sizes.log_sum_exp_head;
  if (lane == 0) {
    if (row_group * 4 + 0 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 0] = select(float_of_bits(0xff800000u), maximum.x + log(row_total_2.x), row_total_2.x > 0.0);
    }
    if (row_group * 4 + 1 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 1] = select(float_of_bits(0xff800000u), maximum.y + log(row_total_2.y), row_total_2.y > 0.0);
    }
    if (row_group * 4 + 2 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 2] = select(float_of_bits(0xff800000u), maximum.z + log(row_total_2.z), row_total_2.z > 0.0);
    }
    if (row_group * 4 + 3 < rows) {
      result_log_sum_exp_buffer[sizes.log_sum_exp_offset + log_sum_exp_start + first_query + row_group * 4 + 3] = select(float_of_bits(0xff800000u), maximum.w + log(row_total_2.w), row_total_2.w > 0.0);
    }
  }
}
