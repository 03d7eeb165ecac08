// FairPlay Streaming, for a player made of the generated `Player` of this folder's library.

import AVFoundation
import Foundation

/// The platform's key system, as the player needs it: `ContentKeySystem`, or one of the app's.
///
/// `execute` must not block. What comes of a command is told by `answer`, on any thread, as the inputs that
/// `LicenseCommand` names. The player makes the licence requests itself.
public protocol KeySystem: AnyObject {
    func execute(_ command: LicenseCommand, answer: @escaping (Input) -> Void)
}

/// Licences that are kept on the device, for playback without a network.
public protocol LicenseStore {
    /// What was kept for this initialisation data.
    func load(_ initData: Data) -> Data?
    /// Keeps a persistable content key.
    func save(_ initData: Data, key: Data)
}

/// FairPlay Streaming by `AVContentKeySession` (iOS 14.5, macOS 11.3 or later). What plays, an `AVURLAsset` or sample
/// buffers in an `AVSampleBufferDisplayLayer`, is made a recipient of `session` by the app.
///
/// It carries out what the player asks and tells what came of it; nothing is decided here. It needs the certificate of the
/// licence server (`KeySystemConfig.certificate`), and a device: simulators have no FairPlay.
public final class ContentKeySystem: NSObject, KeySystem {
    /// What the app adds recipients to.
    public let session: AVContentKeySession

    private let queue = DispatchQueue(label: "kinora-drm")
    private let licenses: LicenseStore?
    private var certificate: Data?
    private var pending: [KeySessionId: Pending] = [:]
    private var answer: (Input) -> Void = { _ in }

    private struct Pending {
        let initData: Data
        let persistent: Bool
        var request: AVContentKeyRequest?
    }

    public init(licenses: LicenseStore? = nil) {
        session = AVContentKeySession(keySystem: .fairPlayStreaming)
        self.licenses = licenses
        super.init()
        session.setDelegate(self, queue: queue)
    }

    public func execute(_ command: LicenseCommand, answer: @escaping (Input) -> Void) {
        queue.async { [self] in
            self.answer = answer
            switch command {
            case .open(let systems): open(systems)
            case .create(let number, _, let initData, let persistent):
                pending[number] = Pending(initData: initData, persistent: persistent)
                let identifier = String(decoding: initData, as: UTF8.self)
                session.processContentKeyRequest(withIdentifier: identifier, initializationData: nil, options: nil)
            case .update(let number, let response): update(number, response)
            case .close(let number): pending[number] = nil
            case .shut: pending = [:]
            }
        }
    }

    private func open(_ offers: [KeySystemOffer]) {
        guard let offer = offers.first(where: { $0.keySystem.hasPrefix("com.apple.fps") }) else {
            return answer(.keySystem(opened: nil, reason: "this platform has FairPlay alone"))
        }
        guard let certificate = offer.certificate else {
            return answer(.keySystem(opened: nil, reason: "FairPlay needs the certificate of the licence server"))
        }
        self.certificate = certificate
        answer(.keySystem(opened: offer.keySystem, reason: ""))
    }

    private func update(_ number: KeySessionId, _ response: Data) {
        guard let held = pending[number], let request = held.request else {
            return answer(.keySessionFailed(session: number, reason: "there is no such key session"))
        }
        do {
            var key = response
            if let persistable = request as? AVPersistableContentKeyRequest {
                key = try persistable.persistableContentKey(fromKeyVendorResponse: response, options: nil)
                licenses?.save(held.initData, key: key)
            }
            request.processContentKeyResponse(AVContentKeyResponse(fairPlayStreamingKeyResponseData: key))
        } catch {
            answer(.keySessionFailed(session: number, reason: error.localizedDescription))
        }
    }

    /// Asks with what FairPlay wants to say to the licence server, or takes the licence that was kept.
    private func ask(_ request: AVContentKeyRequest) {
        guard let number = number(of: request), let held = pending[number] else { return }
        if held.persistent, !(request is AVPersistableContentKeyRequest) {
            // Another request follows, whose key may be kept.
            if (try? request.respondByRequestingPersistableContentKeyRequestAndReturnError()) != nil { return }
        }
        pending[number]?.request = request
        if held.persistent, let kept = licenses?.load(held.initData) {
            return request.processContentKeyResponse(AVContentKeyResponse(fairPlayStreamingKeyResponseData: kept))
        }
        request.makeStreamingContentKeyRequestData(
            forApp: certificate ?? Data(), contentIdentifier: held.initData, options: nil
        ) { [self] message, error in
            queue.async { [self] in
                if let message {
                    answer(.keyMessage(session: number, message: message))
                } else {
                    let reason = error?.localizedDescription ?? "FairPlay has nothing to ask the licence server with"
                    answer(.keySessionFailed(session: number, reason: reason))
                }
            }
        }
    }

    private func number(of request: AVContentKeyRequest) -> KeySessionId? {
        guard let identifier = request.identifier as? String else { return nil }
        return pending.first { $0.value.initData == Data(identifier.utf8) }?.key
    }
}

extension ContentKeySystem: AVContentKeySessionDelegate {
    public func contentKeySession(_ session: AVContentKeySession, didProvide request: AVContentKeyRequest) {
        ask(request)
    }

    public func contentKeySession(
        _ session: AVContentKeySession, didProvide request: AVPersistableContentKeyRequest
    ) {
        ask(request)
    }

    public func contentKeySession(
        _ session: AVContentKeySession, didProvideRenewingContentKeyRequest request: AVContentKeyRequest
    ) {
        ask(request)
    }

    public func contentKeySession(
        _ session: AVContentKeySession, contentKeyRequestDidSucceed request: AVContentKeyRequest
    ) {
        guard let number = number(of: request) else { return }
        // FairPlay does not say which key it is: the session stands for it.
        answer(.keyStatuses(session: number, statuses: [KeyState(id: Data(), status: .usable)]))
    }

    public func contentKeySession(
        _ session: AVContentKeySession, contentKeyRequest request: AVContentKeyRequest, didFailWithError error: Error
    ) {
        guard let number = number(of: request) else { return }
        answer(.keySessionFailed(session: number, reason: error.localizedDescription))
    }
}
