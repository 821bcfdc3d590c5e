;; "f": the function refers to a type that is not imported
(component (type $r (record (field "a" u8))) (import "f" (func (param "a" $r))))
