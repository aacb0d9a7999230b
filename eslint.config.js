import tseslint from 'typescript-eslint'
import { orderRule } from './scripts/house.mjs'

const noFileSystem = { regex: '^(node:)?(fs|fs/promises)$', message: 'read and write through core/storage' }
const noProcess = {
  regex: '^(node:)?(child_process|process|readline|tty)$|^@oclif/|^cli-table3$',
  message: 'core knows no process and no terminal (docs/design.md §2)',
}
const restrictImports = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })

/** Tests that start the built program, or need what no checkout has: each folder is a vitest project of its own. */
const testsOfTheBuild = ['e2e', 'mounts', 'slurm', 'browser', 'interop', 'frameworks']
const noBuild = {
  regex: `^\\.{1,2}/(.*/)?(dist|${testsOfTheBuild.join('|')})/`,
  message: 'unit tests pass without a build: what starts the program stands in test/e2e',
}
/** Paths of the build in a text, from which they may be loaded too. */
const noBuildPath = { selector: 'Literal[value=/(^|[/])dist[/]/]', message: noBuild.message }

/** Hints read as one voice: they go on behind `hint:`, and end without a full stop. */
const hints = ['Literal[value=/^[A-Z][a-z ]/]', 'Literal[value=/[.]$/]'].concat([
  'TemplateLiteral > TemplateElement:first-child[value.raw=/^[A-Z][a-z ]/]',
  'TemplateLiteral > TemplateElement:last-child[value.raw=/[.]$/]',
])
const restrictSyntax = (...others) => ({
  'no-restricted-syntax': [
    'error',
    ...hints.map((text) => ({
      selector: `Property[key.name='hint'] > ${text}`,
      message: 'a hint begins with a small letter and ends without a full stop',
    })),
    ...others,
  ],
})

/** Core is pure: no terminal, clock or process, and the file system through core/storage alone. */
const pureCore = [
  {
    files: ['src/core/**/*.ts'],
    rules: {
      ...restrictImports(noFileSystem, noProcess),
      'no-restricted-globals': ['error', 'process', 'console'],
      ...restrictSyntax({
        selector: "MemberExpression[object.name='Date'][property.name='now']",
        message: 'the clock is passed in',
      }),
    },
  },
  { files: ['src/core/storage/**/*.ts'], rules: restrictImports(noProcess) },
]

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
  { files: ['src/**/*.ts'], rules: restrictSyntax() },
  ...pureCore,
  {
    files: ['src/**/*.ts'],
    plugins: { house: { rules: { order: orderRule } } },
    rules: { 'house/order': 'error' },
  },
  {
    files: ['src/commands/**/*.ts', 'src/cli/**/*.ts', 'src/render/**/*.ts', 'src/machine/**/*.ts', 'src/*.ts'],
    rules: { '@typescript-eslint/only-throw-error': 'error' },
  },
  {
    files: ['test/**/*.ts'],
    ignores: testsOfTheBuild.map((folder) => `test/${folder}/**`),
    rules: { ...restrictImports(noBuild), 'no-restricted-syntax': ['error', noBuildPath] },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['bin/*.js', 'test/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
)
