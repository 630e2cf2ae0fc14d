"""A sentence on where the colors come from, in the XMP packet that goes along with a picture."""

import re
from xml.sax.saxutils import escape

from .photo import Metadata

# Where archives look: IPTC's digital source type (IPTC Photo Metadata 2023.1), and the history that
# Adobe's schema keeps as plain text.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_NAMESPACES = (
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)
_NAMES = rb"(?:photoshop:History|Iptc4xmpExt:DigitalSourceType)"
_OLD = re.compile(
    rb"<(" + _NAMES + rb")\b[^>]*?(?:/>|>.*?</\1\s*>)|\s" + _NAMES + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""", re.S
)
_END = b"</rdf:RDF>"


def packet(metadata: Metadata) -> bytes | None:
    """The XMP packet to write: what was carried over, and the provenance."""
    return metadata.xmp if metadata.provenance is None else with_provenance(metadata.xmp, metadata.provenance)


def with_provenance(xmp: bytes | None, sentence: str) -> bytes:
    """`xmp` with `sentence` in it; a packet of its own where there is none to add it to.

    An older statement of the two properties is replaced; the rest of the packet stays, byte for byte.
    """
    statement = (
        f'<rdf:Description rdf:about="" {_NAMESPACES}>'
        f"<photoshop:History>{escape(sentence)}</photoshop:History>"
        f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        "</rdf:Description>"
    ).encode()
    if xmp and xmp.count(_END) == 1:
        return _OLD.sub(b"", xmp).replace(_END, statement + _END)
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + statement
        + _END
        + b"</x:xmpmeta>"
        b'<?xpacket end="r"?>'
    )
