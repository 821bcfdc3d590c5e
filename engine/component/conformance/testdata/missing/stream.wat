;; unsupported: streams
;; refused: streams
(component (import "f" (func (param "a" (stream u8)))))
