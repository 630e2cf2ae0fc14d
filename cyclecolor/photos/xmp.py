"""XMP packets (Adobe, XMP Specification): what is true no longer goes, the rest stays."""

import hashlib
import struct
from collections.abc import Iterator
from xml.dom import expatbuilder
from xml.dom.minidom import Attr, Document, Element, Node

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_MOTION = ("MotionPhoto", "MicroVideo", "OLivePhoto")  # of several makers, each with a schema of its own
_NOTE = "http://ns.adobe.com/xmp/note/"
_MOST_BYTES, _MOST_MARKS = 16 << 20, 100_000  # of a packet: its size, and what elements and attributes take

# Prefixes as their makers write them, for packets that do not say what theirs mean.
_USUAL = {"rdf": _RDF, "tiff": _TIFF, "exif": _EXIF, "xmp": "http://ns.adobe.com/xap/1.0/", "xmpNote": _NOTE}
_USUAL |= {"photoshop": "http://ns.adobe.com/photoshop/1.0/", "dc": "http://purl.org/dc/elements/1.1/"}

# Properties about the file, its pixels as stored, and pictures that lay in it or behind it.
_GONE = {
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails"): "",
    ("http://ns.adobe.com/photoshop/1.0/", "ColorMode"): "",
    ("http://ns.adobe.com/photoshop/1.0/", "ICCProfile"): "",
    ("http://purl.org/dc/elements/1.1/", "format"): "",
    ("http://purl.org/dc/terms/", "provenance"): "content credentials",
    (_NOTE, "HasExtendedXMP"): "",
    **{
        (_TIFF, name): ""
        for name in (
            "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation",
            "SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning",
            "YCbCrCoefficients", "ReferenceBlackWhite", "TransferFunction", "WhitePoint",
            "PrimaryChromaticities", "NativeDigest",
        )
    },
    **{
        (_EXIF, name): ""
        for name in (
            "ColorSpace", "ComponentsConfiguration", "CompressedBitsPerPixel", "Gamma", "NativeDigest",
            "PixelXDimension", "PixelYDimension",
        )
    },
}  # fmt: skip
_GONE_SCHEMAS = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": "gain map",
    "http://ns.apple.com/HDRGainMap/1.0/": "gain map",
    "http://ns.apple.com/pixeldatainfo/1.0/": "gain map",
    "http://ns.google.com/photos/1.0/container/": "further pictures in the file",
    "http://ns.google.com/photos/1.0/container/item/": "further pictures in the file",
    "http://ns.google.com/photos/dd/1.0/": "depth map",
    "http://ns.google.com/photos/1.0/depthmap/": "depth map",
    "http://ns.google.com/photos/1.0/image/": "further pictures in the file",
}
_GONE_IF_TURNED = {
    ("http://www.metadataworkinggroup.com/schemas/regions/", "Regions"): "regions",
    ("http://ns.microsoft.com/photo/1.2/", "RegionInfo"): "regions",
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "ImageRegion"): "regions",
    (_EXIF, "SubjectArea"): "",
    (_EXIF, "SubjectLocation"): "",
    (_TIFF, "XResolution"): "",
    (_TIFF, "YResolution"): "",
}


def cleaned(packet: bytes, extension: bytes | None, orientation: int) -> tuple[bytes | None, list[str]]:
    """What of a packet is true of the upright picture alone, in sRGB; and names of what else it held.

    Parameters
    ----------
    packet, extension : bytes
        As they are in the file; the properties of the extension join the packet's.
    orientation : int
        How the picture was stored, 1 to 8.

    Returns
    -------
    The packet as it was, byte for byte, where all of it stays; None of what is no XML.
    """
    packet = packet.strip(b"\0")
    try:
        document = _parsed(packet)
        changed = extension is not None and _join(document, _parsed(extension))
        lost = _clean(document, orientation)
        if not changed and lost is None:
            return packet, []
        return "".join(node.toxml() for node in document.childNodes).encode(), sorted(set(lost or ()) - {""})
    except Exception:  # expat's and minidom's, and RecursionError of what is nested too deep
        return None, ["XMP (damaged)"]


def _parsed(packet: bytes) -> Document:
    """Prefixes stay what they are called. Nothing is expanded: a packet has no need for entities."""
    if len(packet) > _MOST_BYTES:
        raise ValueError("a packet longer than any")
    encoding = {b"\xfe\xff": "utf-16", b"\xff\xfe": "utf-16"}.get(packet[:2], "utf-8-sig")
    text = packet.decode(encoding)
    if "<!DOCTYPE" in text or "<!ENTITY" in text or text.count("<") + text.count("=") > _MOST_MARKS:
        raise ValueError("no XMP")
    return expatbuilder.parseString(text.strip("\0\ufeff \n\r\t"), namespaces=False)


def _elements(document: Document) -> Iterator[Element]:
    waiting = [document.documentElement] if document.documentElement else []
    while waiting:
        element = waiting.pop()
        waiting += [node for node in element.childNodes if isinstance(node, Element)]
        yield element


def _prefixes(document: Document) -> dict[str, str]:
    declared = dict(_USUAL)
    for element in _elements(document):
        for name, value in element.attributes.items():
            if name.startswith("xmlns:"):
                declared[name.removeprefix("xmlns:")] = value
    return declared


def _name(node: Element | Attr, prefixes: dict[str, str]) -> tuple[str, str]:
    prefix, _, local = node.nodeName.rpartition(":")
    return prefixes.get(prefix, ""), local


def _clean(document: Document, orientation: int) -> list[str] | None:
    """Take out what is gone and set the orientation to upright; what each was called, None if nothing was."""
    prefixes = _prefixes(document)
    found: list[str] = []
    for element in list(_elements(document)):
        attributes = [node for node in element.attributes.values() if isinstance(node, Attr)]
        nodes: list[Element | Attr] = [element, *attributes]
        for node in nodes:
            name = _name(node, prefixes)
            if name == (_TIFF, "Orientation") and _value(node) != "1":
                _set(node, "1")
                found.append("")
            elif isinstance(node, Attr) and _declares_gone(node):
                found.append("")
                _remove(node, element)
            elif (lost := _why_gone(name, orientation)) is not None:
                found.append(lost)
                _remove(node, element)
    return found or None


def _declares_gone(node: Attr) -> bool:
    """Whether it gives a prefix to a schema of which nothing stays."""
    return node.name.startswith("xmlns:") and node.value.startswith(tuple(_GONE_SCHEMAS))


def _why_gone(name: tuple[str, str], orientation: int) -> str | None:
    """What goes with a property that is true no longer; None of one that is."""
    schema, local = name
    if local.startswith(_MOTION):
        return "motion video"
    for gone, lost in _GONE_SCHEMAS.items():
        if schema.startswith(gone):
            return lost
    if orientation > 1 and name in _GONE_IF_TURNED:
        return _GONE_IF_TURNED[name]
    return _GONE.get(name)


def _value(node: Element | Attr) -> str:
    return (
        node.value if isinstance(node, Attr) else "".join(child.nodeValue or "" for child in node.childNodes)
    )


def _set(node: Element | Attr, value: str) -> None:
    if isinstance(node, Attr):
        node.value = value
        return
    document = node.ownerDocument
    for child in list(node.childNodes):
        node.removeChild(child)
    if document is not None:
        node.appendChild(document.createTextNode(value))


def _remove(node: Element | Attr, element: Element) -> None:
    if isinstance(node, Attr):
        element.removeAttributeNode(node)
    elif element.parentNode is not None:
        element.parentNode.removeChild(element)


def _described(document: Document) -> Element | None:
    """The element that holds descriptions: rdf:RDF."""
    prefixes = _prefixes(document)
    return next((e for e in _elements(document) if _name(e, prefixes) == (_RDF, "RDF")), None)


def _join(document: Document, extension: Document) -> bool:
    """Bring the descriptions of an extension over, each with the prefixes that held around it."""
    target, source = _described(document), _described(extension)
    if target is None or source is None:
        raise ValueError("no RDF")
    declared: dict[str, str] = {}
    outer: Node | None = source
    while isinstance(outer, Element):
        for name, value in outer.attributes.items():
            if name.startswith("xmlns:"):
                declared.setdefault(name, value)
        outer = outer.parentNode
    for node in [node for node in source.childNodes if isinstance(node, Element)]:
        moved = document.importNode(node, True)
        for name, value in declared.items():
            if not moved.hasAttribute(name):
                moved.setAttribute(name, value)
        target.appendChild(moved)
    return True


# --- of a JPEG, whose segments hold 64 KB ---------------------------------------------------------

SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
MOST_IN_SEGMENT = 65_533 - len(SEGMENT)
_PIECE = 65_000


def joined(segments: list[bytes]) -> bytes | None:
    """The extension out of what follows `EXTENSION` in segments; None where some of it is missing.

    Adobe, XMP Specification part 3, 1.1.3.1: 32 digits that name it, its size, where this part begins.
    """
    if not segments:
        return None
    _, size = struct.unpack_from(">32sL", segments[0])
    parts = {struct.unpack_from(">36xL", part)[0]: part[40:] for part in segments if len(part) > 40}
    data = b"".join(parts[start] for start in sorted(parts))
    return data if len(data) == size else None


def extension_name(data: bytes) -> str:
    """What a packet calls its extension."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


def extension_segments(data: bytes) -> list[bytes]:
    """Contents of the segments that hold an extension."""
    name = extension_name(data).encode()
    return [
        EXTENSION + name + struct.pack(">2L", len(data), start) + data[start : start + _PIECE]
        for start in range(0, len(data), _PIECE)
    ]


def pointing_to(data: bytes) -> bytes:
    """A packet that says no more than which extension there is."""
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" '
        f'xmlns:xmpNote="{_NOTE}" xmpNote:HasExtendedXMP="{extension_name(data)}"/></rdf:RDF></x:xmpmeta>'
    ).encode()
