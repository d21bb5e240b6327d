// The self-signed certificate of Kafka's TLS listener.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execute, lastLines } from "./execute.mjs";
import { javaProgram } from "./java.mjs";
import { StackProblem } from "./problem.mjs";

/** Who may come in at the SASL listener. The password also protects the key store. Loopback only, hence no secret. */
export const credentials = { user: "penstock", password: "penstock-secret" };

/** Arguments of `keytool`, in order, that make `broker.p12` (key) and `ca.pem` (what clients trust) in `folder`. */
export function certificateCommands(folder) {
  const store = ["-keystore", `${folder}/broker.p12`, "-storepass", credentials.password];
  return [
    [
      ..."-genkeypair -alias broker -keyalg RSA -keysize 2048 -validity 3650 -storetype PKCS12".split(
        " ",
      ),
      ..."-dname CN=localhost -ext san=dns:localhost,ip:127.0.0.1 -ext bc=ca:true".split(" "),
      ...store,
    ],
    ["-exportcert", "-rfc", "-alias", "broker", "-file", `${folder}/ca.pem`, ...store],
  ];
}

/** Makes the certificate unless it is there. */
export async function makeCertificate(tools, folder) {
  if (existsSync(join(folder, "ca.pem"))) return;
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, "broker.p12"), { force: true });
  for (const arguments_ of certificateCommands(folder)) {
    const ran = await execute(javaProgram(tools.java17, "keytool"), arguments_);
    if (!ran.isDone) {
      throw new StackProblem(`keytool could not make ${folder}: ${lastLines(ran.output, 2)}`);
    }
  }
}
