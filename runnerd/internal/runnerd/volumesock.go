package runnerd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/volume"
)

// maxReadBytes caps the body of [api.RouteVolumeExport].
const maxReadBytes = 16 << 10

// exportLimits bound an exported volume: what cannot be imported again is not exported.
var exportLimits = archive.Limits{Bytes: api.MaxMountFiles - 64<<20, Files: archive.MaxFiles}

// volumeDoor tells people and other members of the volumes here.
type volumeDoor struct {
	volumes *volumes
	may     func(k keys.Public, right api.Right, name api.Name) error
	now     func() time.Time
	log     *slog.Logger
}

func (d *volumeDoor) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteVolumes, func(w http.ResponseWriter, r *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.VolumesReply{Volumes: d.volumes.List(r.Context())})
	})
	mux.HandleFunc(api.RouteVolumeFiles, d.files)
	mux.HandleFunc(api.RouteVolumeExport, d.export)
}

func (d *volumeDoor) files(w http.ResponseWriter, r *http.Request) {
	name, err := api.ParseName(r.PathValue("volume"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	out, err := d.volumes.Files(r.Context(), name)
	if err != nil {
		local.WriteError(w, volumeStatus(err), err)
		return
	}
	local.WriteJSON(w, http.StatusOK, out)
}

func volumeStatus(err error) int {
	switch {
	case errors.Is(err, volume.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, errNoRead):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// errNoRead says that who asks may not read a volume.
var errNoRead = errors.New("it takes the owner's word to read a volume")

// allowed checks the word with which somebody asks for the files of a volume.
func (d *volumeDoor) allowed(raw []byte, name api.Name) error {
	word, by, err := intent.OpenRead(raw, d.now())
	if err != nil {
		return fmt.Errorf("%w: %w", errNoRead, err)
	}
	if word.Volume != name || word.Peer != d.volumes.self || word.Realm != d.volumes.realm.Load().id {
		return fmt.Errorf("%w: this one is for another volume, member or realm", errNoRead)
	}
	if err := d.may(by, api.RightVolume, name); err != nil {
		return fmt.Errorf("%w: %w", errNoRead, err)
	}
	return nil
}

// export answers with the files of a volume. What a program writes meanwhile may be in it in
// part.
func (d *volumeDoor) export(w http.ResponseWriter, r *http.Request) {
	name, err := api.ParseName(r.PathValue("volume"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	raw, err := api.ReadAll(r.Body, maxReadBytes)
	if err == nil {
		err = d.allowed(raw, name) //nolint:contextcheck // reading it waits for nothing
	}
	if err != nil {
		local.WriteError(w, http.StatusForbidden, err)
		return
	}
	root, err := d.volumes.Data(name)
	if err != nil {
		local.WriteError(w, volumeStatus(err), err)
		return
	}
	defer root.Close()
	if err := d.send(w, r, root); err != nil {
		d.log.Warn("a volume was not exported", "volume", string(name), telemetry.Error(err))
	}
}

func (d *volumeDoor) send(w http.ResponseWriter, r *http.Request, root *os.Root) error {
	sources, err := archive.List(r.Context(), root, ".", exportLimits)
	if err == nil {
		err = archive.Check(sources, exportLimits)
	}
	if err != nil {
		local.WriteError(w, http.StatusConflict, fmt.Errorf("the volume cannot be exported as it is: %w", err))
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	if err := archive.Write(r.Context(), w, sources, exportLimits); err != nil {
		d.log.Warn("a volume was exported in part", telemetry.Error(err))
		panic(http.ErrAbortHandler) // what is cut short must not look whole
	}
	return nil
}
