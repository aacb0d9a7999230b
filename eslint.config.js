import tseslint from 'typescript-eslint'

/**
 * docs/design.md §2: arrows point one way. What each folder of core may import, beside its own files, `errors.ts`
 * and `checkpoint.ts`. Nothing in core may import commands or render.
 */
const mayImport = {
  storage: [],
  formats: [],
  words: [],
  expression: ['formats'],
  retention: ['expression'],
  config: ['storage', 'expression'],
  meta: ['formats'],
  layouts: ['storage', 'formats', 'meta'],
  tensors: ['storage', 'formats'],
  selection: ['storage', 'layouts', 'expression', 'meta'],
  health: ['storage', 'formats', 'layouts', 'tensors'],
  state: ['storage', 'formats'],
  disposal: ['storage', 'formats', 'layouts', 'retention', 'state'],
  placing: ['storage', 'state', 'disposal'],
  trash: ['storage', 'state', 'disposal', 'placing'],
  hooks: ['storage', 'config', 'expression', 'placing', 'words'],
  saving: ['storage', 'formats', 'state', 'disposal', 'placing'],
  names: ['tensors'],
  output: ['storage', 'formats', 'tensors'],
  transfer: ['storage', 'formats', 'tensors', 'output'],
  average: ['storage', 'formats', 'tensors', 'output'],
  convert: ['storage', 'formats', 'tensors', 'output'],
  download: ['storage', 'state', 'disposal', 'output'],
  compare: ['storage', 'formats', 'tensors'],
  run: [
    'storage',
    'meta',
    'formats',
    'layouts',
    'health',
    'expression',
    'selection',
    'retention',
    'state',
    'disposal',
    'placing',
    'saving',
    'trash',
    'jobs',
    'tensors',
    'names',
    'output',
    'transfer',
    'average',
  ],
  sources: ['storage', 'config', 'expression', 'selection', 'run', 'download'],
  pretrain: [
    'storage',
    'formats',
    'config',
    'expression',
    'hooks',
    'state',
    'disposal',
    'placing',
    'tensors',
    'names',
    'output',
    'transfer',
    'download',
    'sources',
  ],
  checkpointer: [
    'storage',
    'formats',
    'layouts',
    'selection',
    'retention',
    'state',
    'disposal',
    'saving',
    'jobs',
    'run',
  ],
  schedulers: ['jobs'],
  journal: ['storage', 'formats', 'state'],
  supervise: [
    'storage',
    'layouts',
    'health',
    'expression',
    'selection',
    'state',
    'jobs',
    'journal',
    'run',
    'schedulers',
  ],
  jobs: ['storage', 'disposal', 'placing', 'expression'],
}

const folders = Object.keys(mayImport)

function layerRule([folder, allowed]) {
  const forbidden = folders.filter((other) => other !== folder && !allowed.includes(other))
  return {
    files: [`src/core/${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${forbidden.join('|')}|commands|render)/`,
              message: `core/${folder} may import: ${allowed.join(', ') || 'no other folder'} (docs/design.md §2)`,
            },
            ...(folder === 'storage'
              ? []
              : [{ regex: '^(node:)?(fs|fs/promises)$', message: 'read and write through core/storage' }]),
            {
              regex: '^(node:)?(child_process|process|readline|tty)$|^@oclif/|^cli-table3$',
              message: 'core knows no process and no terminal (docs/design.md §2)',
            },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'console'],
      'no-restricted-syntax': [
        'error',
        { selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'the clock is passed in' },
      ],
    },
  }
}

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'test/fixtures/'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', 'bin/*.js', 'scripts/*.mjs', 'bench/*.mjs'] },
      },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Storage answers with promises whatever its medium; the local one has nothing to await.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      // It overflows the stack on types that contain themselves (a JSON value).
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  ...Object.entries(mayImport).map(layerRule),
  {
    files: ['src/render/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '/commands/', message: 'render knows no command (docs/design.md §2)' }] },
      ],
    },
  },
  {
    files: ['src/commands/**/*.ts', 'src/render/**/*.ts', 'src/*.ts'],
    rules: { '@typescript-eslint/only-throw-error': 'error' },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['bin/*.js', 'test/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
)
