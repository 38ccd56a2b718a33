import { beforeEach, inject } from 'vitest';

beforeEach(({ skip }) => {
  skip(
    inject('citusUrl') === '',
    'TEST_CITUS_URL names no coordinator of Citus (with a superuser as its role), and no container engine answers',
  );
});
