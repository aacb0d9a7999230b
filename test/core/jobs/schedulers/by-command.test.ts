import { expect, it } from 'vitest'
import { schedulerOf, type Environment } from '../../../../src/core/jobs/schedulers/index.js'

async function detect(environment: Environment) {
  const system = await schedulerOf(environment, async () => null)
  return system?.job ?? null
}

it('PBS: the id holds the index of an array', async () => {
  expect(await detect({ PBS_JOBID: '4711.head' })).toMatchObject({
    scheduler: 'pbs',
    id: '4711.head',
    arrayTask: null,
    requeue: ['qrerun', '4711.head'],
  })
  expect(await detect({ PBS_JOBID: '4711[3].head', PBS_ARRAY_INDEX: '3' })).toMatchObject({
    arrayTask: '3',
    requeue: ['qrerun', '4711[3].head'],
  })
})

it('LSF: an index of 0 is not an array', async () => {
  expect(await detect({ LSB_JOBID: '4711', LSB_JOBINDEX: '0' })).toMatchObject({
    scheduler: 'lsf',
    arrayTask: null,
    requeue: ['brequeue', '4711'],
  })
  expect((await detect({ LSB_JOBID: '4711', LSB_JOBINDEX: '3' }))?.requeue).toEqual(['brequeue', '4711[3]'])
})

it('the first rank of an MPI job leads', async () => {
  expect((await detect({ PBS_JOBID: '4711.head', OMPI_COMM_WORLD_RANK: '0' }))?.isLeader).toBe(true)
  expect((await detect({ PBS_JOBID: '4711.head', OMPI_COMM_WORLD_RANK: '1' }))?.isLeader).toBe(false)
})

it('outside of a batch system nothing is asked', async () => {
  const asked: (readonly string[])[] = []
  const ask = async (words: readonly string[]) => {
    asked.push(words)
    return null
  }
  expect(await schedulerOf({ PATH: '/bin', SLURM_CONF: '/etc/slurm.conf' }, ask)).toBeNull()
  expect(asked).toEqual([])
})
