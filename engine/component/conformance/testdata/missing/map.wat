;; unsupported: maps
;; refused: maps
(component (import "f" (func (param "a" (map string u8)))))
