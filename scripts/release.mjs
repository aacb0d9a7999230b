/**
 * `npm run release`: builds, tests and packs all three into dist/release: the npm tarball, the wheels and the executables,
 * with their checksums. Publishes nothing; the commands for that are printed at the end.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const release = join(root, 'dist', 'release')

function npm(...args) {
  console.log(`== npm ${args.join(' ')}`)
  execFileSync('npm', args, { cwd: root, stdio: 'inherit' })
}

if (execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }).trim() !== '') {
  console.error('there are changes that are not committed: a release is made of what is')
  process.exit(1)
}
for (const script of ['check', 'test', 'test:package', 'test:binary', 'test:wheel']) npm('run', script)
rmSync(release, { recursive: true, force: true })
mkdirSync(release, { recursive: true })
npm('pack', '--silent', '--pack-destination', release)
for (const folder of ['binary', 'wheel']) {
  for (const name of readdirSync(join(root, 'dist', folder))) {
    if (/^ckpt-linux-|\.whl$/.test(name)) copyFileSync(join(root, 'dist', folder, name), join(release, name))
  }
}
const sums = readdirSync(release).map((name) => {
  return `${createHash('sha256')
    .update(readFileSync(join(release, name)))
    .digest('hex')}  ${name}\n`
})
writeFileSync(join(release, 'SHA256SUMS'), sums.join(''))
console.log(`${release}:\n${sums.join('')}
to publish: npm publish ${release}/ckpt-*.tgz; twine upload ${release}/*.whl`)
