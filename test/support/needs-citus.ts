import { beforeEach } from 'vitest';

const url = process.env.TEST_CITUS_URL ?? '';

beforeEach(({ skip }) => {
  skip(url === '', 'TEST_CITUS_URL names no coordinator of Citus, with a superuser as its role');
});
