/**
 * `ckpt convert` of a checkpoint that several processes wrote against `cp` of all its files and `sync`, and against
 * what torch and DeepSpeed have for it. Python with torch writes what is read, so without it nothing is measured. Of
 * DeepSpeed its own script is run where it is installed. CKPT_BENCH_MIB sets the size.
 */
import { execFile, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare } from './harness.mjs'
import { findPython } from './python.mjs'

const mebibytes = Number(process.env.CKPT_BENCH_MIB ?? 2048)
const count = 128

/** Rows are shared among two files, as two processes do it; each tensor lies in two pieces. */
const writeDcp = `
import sys, threading, torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.device_mesh import init_device_mesh
rank, folder, bytes_each, store = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
dist.init_process_group('gloo', init_method='file://' + store, rank=rank, world_size=2)
mesh = init_device_mesh('cpu', (2,))
local = lambda: torch.rand(bytes_each // 4 // 2 // 1024, 1024)
state = {f'layer.{i}.weight': DTensor.from_local(local(), mesh, [Shard(0)]) for i in range(${count})}
dcp.save(state, checkpoint_id=folder)
dist.destroy_process_group()
`

/** The files that two processes of stage 2 write: one group of parameters, cut in its middle. */
const writeZero = `
import os, sys, torch
from collections import OrderedDict
folder, bytes_each = sys.argv[1], int(sys.argv[2])
os.makedirs(folder)
rows = bytes_each // 4 // 1024
shapes = OrderedDict((f'layer.{i}.weight', torch.Size([rows, 1024])) for i in range(${count}))
torch.save({'module': OrderedDict(), 'buffer_names': [], 'optimizer': None, 'param_shapes': [shapes],
  'frozen_param_shapes': None, 'frozen_param_fragments': None, 'shared_params': {}, 'dp_world_size': 2,
  'mp_world_size': 1, 'ds_version': '0.19.8'}, os.path.join(folder, 'mp_rank_00_model_states.pt'))
for rank in range(2):
  piece = torch.rand(rows * 1024 * ${count} // 2)
  torch.save({'optimizer_state_dict': {'zero_stage': 2, 'partition_count': 2,
    'single_partition_of_fp32_groups': [piece]}}, os.path.join(folder, f'zero_pp_rank_{rank}_mp_rank_00_optim_states.pt'))
`

const torchDcp = `
import os, sys
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
dcp_to_torch_save(sys.argv[2], sys.argv[1])
os.fsync(os.open(sys.argv[1], os.O_RDONLY))
`

const zeroToFp32 = `
import os, sys
from deepspeed.utils.zero_to_fp32 import convert_zero_checkpoint_to_fp32_state_dict
convert_zero_checkpoint_to_fp32_state_dict(os.path.dirname(sys.argv[2]), sys.argv[1], max_shard_size=None, safe_serialization=True, tag=os.path.basename(sys.argv[2]))
os.fsync(os.open(os.path.join(sys.argv[1], 'model.safetensors'), os.O_RDONLY))
`

export async function benchSharded(folder) {
  const python = findPython()
  if (python === undefined) return true
  const bytesEach = (mebibytes * 2 ** 20) / count
  const dcp = join(folder, 'dcp')
  const zero = join(folder, 'global_step1')
  const store = join(folder, 'store')
  const second = spawnBeside(python, ['-c', writeDcp, '1', dcp, bytesEach, store])
  runPython(python, ['-c', writeDcp, '0', dcp, bytesEach, store])
  await second
  const isDcpHeld = await compareWith(folder, 'torch.distributed.checkpoint', dcp, {
    name: 'dcp_to_torch_save',
    command: (output) => [python, ['-c', torchDcp, output, dcp]],
  })
  rmSync(dcp, { recursive: true })
  runPython(python, ['-c', writeZero, zero, bytesEach])
  const hasDeepSpeed = spawnSync(python, ['-c', 'import deepspeed'], { stdio: 'ignore' }).status === 0
  if (!hasDeepSpeed) console.log(`\nnot measured against zero_to_fp32.py: ${python} has no deepspeed`)
  const script = { name: 'zero_to_fp32.py', command: (output) => [python, ['-c', zeroToFp32, output, zero]] }
  return (await compareWith(folder, 'DeepSpeed ZeRO 2', zero, hasDeepSpeed ? script : undefined)) && isDcpHeld
}

function compareWith(folder, what, from, theirs) {
  const output = join(folder, 'out.safetensors')
  const after = () => rmSync(output, { recursive: true })
  const copy = ['sh', ['-c', 'mkdir "$2" && cp "$1"/* "$2" && sync "$2"/*', 'sh', from, output]]
  const cases = [
    { name: 'cp and sync', command: copy, after },
    {
      name: 'ckpt convert --to safetensors',
      args: ckpt('convert', from, '--to', 'safetensors', '--output', output),
      most: 1.3,
      fasterThan: [],
      after,
    },
  ]
  if (theirs !== undefined) {
    const other = { name: theirs.name, command: theirs.command(output), after }
    cases[1].fasterThan.push([other, 2])
    cases.push(other)
  }
  return compare(folder, `${what} of ${mebibytes} MiB in ${count} tensors, two processes (under 200 MB)`, 3, cases, 200)
}

function runPython(python, args) {
  const { status, stderr } = spawnSync(python, args.map(String), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${python}: exit status ${status}\n${stderr}`)
}

function spawnBeside(python, args) {
  return new Promise((resolve, reject) => {
    execFile(python, args.map(String), (error) => (error === null ? resolve() : reject(error)))
  })
}
