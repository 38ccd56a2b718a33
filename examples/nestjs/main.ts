// The tenant of a request is the organization of its Clerk session.
// npm install @nestjs/core @nestjs/common @nestjs/platform-express reflect-metadata rxjs pg @clerk/backend tenantctl
import 'reflect-metadata';
import { verifyToken } from '@clerk/backend';
import {
  Body,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Post,
  UnauthorizedException,
  type ArgumentsHost,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, BaseExceptionFilter, NestFactory } from '@nestjs/core';
import { Pool } from 'pg';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { openTenants, TenantctlError, type TenantClient, type Tenants } from 'tenantctl/tenants';

const { CLERK_JWT_KEY, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, PORT } = process.env;
const TENANTS = Symbol('tenants');

/** What a client is told. Every other error is 500. */
const STATUS: Readonly<Record<string, number>> = {
  TENANT_UNKNOWN: 404,
  TENANT_NOT_ACTIVE: 403,
  TENANT_BEHIND: 503,
  SCHEMA_MISSING: 503,
  RIGHTS_MISSING: 503,
};

/** Runs each handler in the transaction of its tenant. The answer is sent after the COMMIT. */
@Injectable()
class TenantInterceptor implements NestInterceptor {
  constructor(@Inject(TENANTS) private readonly tenants: Tenants) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    const token = (headers.authorization ?? '').replace(/^Bearer /, '');
    const claims = await verifyToken(token, { jwtKey: CLERK_JWT_KEY }).catch(() => undefined);
    const org = claims?.org_id ?? claims?.o?.id;
    if (org === undefined) throw new UnauthorizedException('no session with an organization');
    return from(this.tenants.run(org, () => lastValueFrom(next.handle())));
  }
}

/** The errors of openTenants, as statuses. */
@Catch(TenantctlError)
class TenantErrorFilter extends BaseExceptionFilter {
  override catch(error: TenantctlError, host: ArgumentsHost): void {
    const status = STATUS[error.code] ?? 500;
    if (status >= 500) console.error(error);
    host.switchToHttp().getResponse().status(status).json({ error: error.code });
  }
}

@Injectable()
class NotesService {
  constructor(@Inject(TENANTS) private readonly tenants: Tenants) {}

  list(): Promise<unknown[]> {
    return this.inTenant(async (client) => (await client.query('SELECT id FROM notes ORDER BY id')).rows);
  }

  add(id: number): Promise<{ id: number }> {
    return this.inTenant(async (client) => {
      await client.query('INSERT INTO notes (id) VALUES ($1)', [id]);
      return { id };
    });
  }

  /** Joins the transaction of the request. */
  private inTenant<T>(work: (client: TenantClient) => Promise<T>): Promise<T> {
    const tenant = this.tenants.current();
    if (tenant === undefined) throw new Error('outside of a request');
    return this.tenants.run(tenant, work);
  }
}

@Controller('notes')
class NotesController {
  constructor(@Inject(NotesService) private readonly notes: NotesService) {}

  @Get()
  list(): Promise<unknown[]> {
    return this.notes.list();
  }

  @Post()
  add(@Body() body: { id: number }): Promise<{ id: number }> {
    return this.notes.add(body.id);
  }
}

@Module({
  controllers: [NotesController],
  providers: [
    NotesService,
    {
      provide: TENANTS,
      useFactory: () => {
        const pool = new Pool({
          host: DB_HOST,
          port: Number(DB_PORT),
          user: DB_USER,
          password: DB_PASSWORD,
          database: DB_NAME,
        });
        // A server that restarts ends idle connections. Without a listener, that would end the process.
        pool.on('error', (error) => console.error(error));
        return openTenants(pool);
      },
    },
    { provide: APP_INTERCEPTOR, useClass: TenantInterceptor },
    { provide: APP_FILTER, useClass: TenantErrorFilter },
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(Number(PORT ?? 3000));
