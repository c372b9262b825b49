// Tests run as CommonJS through swc; worker threads load the TypeScript sources with Node's own type stripping.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }],
    // Has no CommonJS form.
    '/node_modules/@platformatic/.+\\.js$': ['@swc/jest', { jsc: { target: 'es2024' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!@platformatic/)'],
  workerIdleMemoryLimit: '1500MB',
  testTimeout: 60_000,
  // All cores: the tests wait for disks and children as much as they compute.
  maxWorkers: '100%',
};
