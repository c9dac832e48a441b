/** The HTTP service over a history, for programs that serve one of their own. */

export * as NodeHttp from "../live/NodeHttp.ts"
export * as HttpService from "./HttpService.ts"
export * as ServeOptions from "./ServeOptions.ts"
