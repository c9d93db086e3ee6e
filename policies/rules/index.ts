import type { Rule } from "../lib/rule.ts";
import { authenticationOn } from "./authenticationOn.ts";
import { certificateLife } from "./certificateLife.ts";
import { commandNoPlainSecret } from "./commandNoPlainSecret.ts";
import { commandRunsHardened } from "./commandRunsHardened.ts";
import { containerCapabilitiesDropped } from "./containerCapabilitiesDropped.ts";
import { containerConfined } from "./containerConfined.ts";
import { containerHealthChecked } from "./containerHealthChecked.ts";
import { containerImagePinned } from "./containerImagePinned.ts";
import { containerLogsRotated } from "./containerLogsRotated.ts";
import { containerMountsHarmless } from "./containerMountsHarmless.ts";
import { containerNamespacesOwn } from "./containerNamespacesOwn.ts";
import { containerNoDevices } from "./containerNoDevices.ts";
import { containerNoDockerSocket } from "./containerNoDockerSocket.ts";
import { containerNoPlainSecret } from "./containerNoPlainSecret.ts";
import { containerNotPrivileged } from "./containerNotPrivileged.ts";
import { containerPortsClosed } from "./containerPortsClosed.ts";
import { containerProcessesLimited } from "./containerProcessesLimited.ts";
import { containerResourcesLimited } from "./containerResourcesLimited.ts";
import { containerRestarts } from "./containerRestarts.ts";
import { containerRootReadOnly } from "./containerRootReadOnly.ts";
import { containerUserNotRoot } from "./containerUserNotRoot.ts";
import { containerUserOwn } from "./containerUserOwn.ts";
import { credentialFilesGranted } from "./credentialFilesGranted.ts";
import { credentialGeneratedStrong } from "./credentialGeneratedStrong.ts";
import { credentialGrants } from "./credentialGrants.ts";
import { credentialHardToGuess } from "./credentialHardToGuess.ts";
import { credentialLongEnough } from "./credentialLongEnough.ts";
import { credentialNotDefault } from "./credentialNotDefault.ts";
import { imagePinned } from "./imagePinned.ts";
import { keySize } from "./keySize.ts";
import { liveTradingConfirmed } from "./liveTradingConfirmed.ts";
import { networkInternal } from "./networkInternal.ts";
import { rotationDue } from "./rotationDue.ts";
import { rotationOverdue } from "./rotationOverdue.ts";
import { segmentsNeeded } from "./segmentsNeeded.ts";
import { sshHostKeyPinned } from "./sshHostKeyPinned.ts";
import { volumeProtected } from "./volumeProtected.ts";

/** Every rule, by what it is about. */
export const ruleGroups: Readonly<Record<string, readonly Rule[]>> = {
  Credentials: [
    credentialNotDefault,
    credentialLongEnough,
    credentialHardToGuess,
    credentialGeneratedStrong,
    containerNoPlainSecret,
    commandNoPlainSecret,
    credentialFilesGranted,
    credentialGrants,
    rotationOverdue,
    rotationDue,
    authenticationOn,
  ],
  Images: [imagePinned, containerImagePinned],
  Containers: [
    containerNotPrivileged,
    containerCapabilitiesDropped,
    containerConfined,
    containerRootReadOnly,
    containerUserNotRoot,
    containerUserOwn,
    containerNamespacesOwn,
    containerNoDockerSocket,
    containerMountsHarmless,
    containerNoDevices,
    containerResourcesLimited,
    containerProcessesLimited,
    containerHealthChecked,
    containerLogsRotated,
    containerRestarts,
    commandRunsHardened,
  ],
  "Networks and trading": [containerPortsClosed, networkInternal, segmentsNeeded, liveTradingConfirmed],
  "Volumes, keys and connections": [volumeProtected, certificateLife, keySize, sshHostKeyPinned],
};

export const rules: readonly Rule[] = Object.values(ruleGroups).flat();
