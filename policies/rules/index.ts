import type { Rule } from "../lib/rule.ts";
import { authenticationOn } from "./authenticationOn.ts";
import { certificateLife } from "./certificateLife.ts";
import { commandNoPlainSecret } from "./commandNoPlainSecret.ts";
import { commandRunsHardened } from "./commandRunsHardened.ts";
import { containerCapabilitiesDropped } from "./containerCapabilitiesDropped.ts";
import { containerConfined } from "./containerConfined.ts";
import { containerHealthChecked } from "./containerHealthChecked.ts";
import { containerImagePinned } from "./containerImagePinned.ts";
import { containerInputsListed } from "./containerInputsListed.ts";
import { containerLogsRotated } from "./containerLogsRotated.ts";
import { containerMountsHarmless } from "./containerMountsHarmless.ts";
import { containerMountsPlain } from "./containerMountsPlain.ts";
import { containerNamespacesOwn } from "./containerNamespacesOwn.ts";
import { containerNetworkNamed } from "./containerNetworkNamed.ts";
import { containerNoDevices } from "./containerNoDevices.ts";
import { containerNoDockerSocket } from "./containerNoDockerSocket.ts";
import { containerNoPlainSecret } from "./containerNoPlainSecret.ts";
import { containerNotPrivileged } from "./containerNotPrivileged.ts";
import { containerPortsClosed } from "./containerPortsClosed.ts";
import { containerProcessesLimited } from "./containerProcessesLimited.ts";
import { containerResourcesLimited } from "./containerResourcesLimited.ts";
import { containerRestarts } from "./containerRestarts.ts";
import { containerRootReadOnly } from "./containerRootReadOnly.ts";
import { containerTmpfsConfined } from "./containerTmpfsConfined.ts";
import { containerUserNotRoot } from "./containerUserNotRoot.ts";
import { containerUserOwn } from "./containerUserOwn.ts";
import { containerVolumesOwn } from "./containerVolumesOwn.ts";
import { credentialFilesGranted } from "./credentialFilesGranted.ts";
import { credentialGeneratedStrong } from "./credentialGeneratedStrong.ts";
import { credentialGrants } from "./credentialGrants.ts";
import { credentialHardToGuess } from "./credentialHardToGuess.ts";
import { credentialLongEnough } from "./credentialLongEnough.ts";
import { credentialNotDefault } from "./credentialNotDefault.ts";
import { credentialNotShown } from "./credentialNotShown.ts";
import { exchangeKeysConfirmed } from "./exchangeKeysConfirmed.ts";
import { imagePinned } from "./imagePinned.ts";
import { keySize } from "./keySize.ts";
import { killSwitchObeyed } from "./killSwitchObeyed.ts";
import { liveTradingConfirmed } from "./liveTradingConfirmed.ts";
import { networkInternal } from "./networkInternal.ts";
import { resourceListed } from "./resourceListed.ts";
import { rotationDue } from "./rotationDue.ts";
import { rotationOverdue } from "./rotationOverdue.ts";
import { segmentsNeeded } from "./segmentsNeeded.ts";
import { serviceLabelOwn } from "./serviceLabelOwn.ts";
import { serviceLabelUnique } from "./serviceLabelUnique.ts";
import { sshHostKeyPinned } from "./sshHostKeyPinned.ts";
import { suppliedCredentialStrong } from "./suppliedCredentialStrong.ts";
import { volumePlain } from "./volumePlain.ts";
import { volumeProtected } from "./volumeProtected.ts";
import { volumesNeeded } from "./volumesNeeded.ts";

/** Every rule, by what it is about. */
export const ruleGroups: Readonly<Record<string, readonly Rule[]>> = {
  Credentials: [
    credentialNotDefault,
    credentialLongEnough,
    credentialHardToGuess,
    credentialGeneratedStrong,
    suppliedCredentialStrong,
    credentialNotShown,
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
    resourceListed,
    containerInputsListed,
    serviceLabelOwn,
    serviceLabelUnique,
    containerNotPrivileged,
    containerCapabilitiesDropped,
    containerConfined,
    containerRootReadOnly,
    containerUserNotRoot,
    containerUserOwn,
    containerNamespacesOwn,
    containerNoDockerSocket,
    containerMountsHarmless,
    containerMountsPlain,
    containerTmpfsConfined,
    containerNoDevices,
    containerResourcesLimited,
    containerProcessesLimited,
    containerHealthChecked,
    containerLogsRotated,
    containerRestarts,
    commandRunsHardened,
  ],
  "Networks and trading": [
    containerPortsClosed,
    containerNetworkNamed,
    networkInternal,
    segmentsNeeded,
    liveTradingConfirmed,
    exchangeKeysConfirmed,
    killSwitchObeyed,
  ],
  "Volumes, keys and connections": [
    volumeProtected,
    volumePlain,
    containerVolumesOwn,
    volumesNeeded,
    certificateLife,
    keySize,
    sshHostKeyPinned,
  ],
};

export const rules: readonly Rule[] = Object.values(ruleGroups).flat();
