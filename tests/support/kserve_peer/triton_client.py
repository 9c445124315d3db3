"""Asks a server for its model with Triton's own client: `triton_client.py ADDRESS IMAGES.npy`; prints JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
import tritonclient.grpc as triton

address, file = sys.argv[1:]
images = np.load(file)
client = triton.InferenceServerClient(address)
name = client.get_server_metadata().name
metadata = client.get_model_metadata("tiny", as_json=True)
given = triton.InferInput("pixels", list(images.shape), "UINT8")
given.set_data_from_numpy(images)
wanted = [triton.InferRequestedOutput("scores")]
answer = client.infer("tiny", [given], outputs=wanted, request_id="7", timeout=5_000_000)
try:
    client.infer("another", [given])
    refused = ""
except triton.InferenceServerException as error:
    refused = error.status()
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("tiny"),
            "other_ready": client.is_model_ready("another"),
            "name": name,
            "metadata": metadata,
            "id": answer.get_response().id,
            "scores": answer.as_numpy("scores").tolist(),
            "refused": refused,
        }
    )
)
